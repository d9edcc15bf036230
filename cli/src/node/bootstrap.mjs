// Runs a Node.js function as Lambda's runtime does, over the Runtime API
// (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).

import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime`;
const root = process.env.LAMBDA_TASK_ROOT;
const major = Number((process.env.AWS_EXECUTION_ENV ?? '').match(/nodejs(\d+)/)?.[1] ?? 0);
// The function's own code finds no arguments.
process.argv.splice(2);

// The invocation that the handler works on.
let current;

function call(method, place, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const options = { method, headers, agent: false };
    const request = http.request(api + place, options, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        resolve({ headers: response.headers, body: Buffer.concat(chunks).toString('utf8') });
      });
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

function described(error, type) {
  if (error instanceof Error || (error && typeof error.stack === 'string')) {
    // The function's author has no use for the lines of this file.
    const lines = String(error.stack ?? '').split('\n');
    const trace = lines.filter((line) => !line.includes(import.meta.url));
    return { errorType: type ?? error.name ?? 'Error', errorMessage: String(error.message), trace };
  }
  let message;
  try {
    message = String(error);
  } catch {
    message = 'an object without a text';
  }
  return { errorType: type ?? typeof error, errorMessage: message, trace: [] };
}

async function fail(place, error, type) {
  const body = described(error, type);
  console.error(JSON.stringify(body));
  // A header takes printable ASCII only.
  const header = body.errorType.replace(/[^\x20-\x7e]/g, '?');
  await call('POST', place, JSON.stringify(body), {
    'Content-Type': 'application/json',
    'Lambda-Runtime-Function-Error-Type': header,
  });
}

class InitError extends Error {
  constructor(type, message) {
    super(message);
    this.name = type;
  }
}

async function load(text) {
  const base = path.basename(text);
  const dot = base.indexOf('.');
  if (dot < 1) throw new InitError('Runtime.MalformedHandlerName', 'Bad handler');
  const stem = path.resolve(root, path.dirname(text), base.slice(0, dot));
  const file = ['', '.js', '.mjs', '.cjs'].map((end) => stem + end).find((name) => {
    return fs.statSync(name, { throwIfNoEntry: false })?.isFile();
  });
  if (!file) {
    const name = path.relative(root, stem);
    throw new InitError('Runtime.ImportModuleError', `Error: Cannot find module '${name}'`);
  }
  let found;
  try {
    found = file === stem ? createRequire(file)(file) : await import(pathToFileURL(file).href);
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new InitError('Runtime.UserCodeSyntaxError', String(error.stack));
    }
    const isMissing = ['MODULE_NOT_FOUND', 'ERR_MODULE_NOT_FOUND'].includes(error?.code);
    if (isMissing) throw new InitError('Runtime.ImportModuleError', String(error));
    throw error;
  }
  const names = base.slice(dot + 1).split('.');
  const within = (place) => names.reduce((place, name) => place?.[name], place);
  const handler = within(found) ?? within(found.default);
  if (handler === undefined) {
    throw new InitError('Runtime.HandlerNotFound', `${text} is undefined or not exported`);
  }
  if (typeof handler !== 'function') {
    throw new InitError('Runtime.HandlerNotFound', `${text} is not a function`);
  }
  if (major >= 24 && handler.length >= 3) {
    const message = 'callback-based handlers are not supported from nodejs24.x on: return a promise';
    throw new InitError('Runtime.CallbackHandlerDeprecated', message);
  }
  return handler;
}

function contextOf(headers) {
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const parsed = (name) => (headers[name] ? JSON.parse(headers[name]) : undefined);
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: parsed('lambda-runtime-client-context'),
    identity: parsed('lambda-runtime-cognito-identity'),
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
}

// Returns the handler's result: its promise's, or what it gives to the callback. Unless it says
// otherwise, a callback counts when nothing is left to do.
function invoked(handler, event, context) {
  return new Promise((resolve, reject) => {
    let given;
    const settle = () => (given?.error ? reject(given.error) : resolve(given?.result));
    const callback = (error, result) => {
      given ??= { error, result };
      if (!context.callbackWaitsForEmptyEventLoop) settle();
    };
    if (major < 24) {
      context.succeed = (result) => callback(null, result);
      context.fail = (error) => callback(error ?? 'handled');
      context.done = callback;
    }
    const result = handler(event, context, callback);
    if (typeof result?.then === 'function') {
      result.then(resolve, reject);
    } else if (major >= 24) {
      resolve(result);
    } else {
      current.whenIdle = settle;
    }
  });
}

process.on('beforeExit', () => {
  const settle = current?.whenIdle;
  if (settle) {
    current.whenIdle = undefined;
    settle();
  }
});

for (const [event, type] of [
  ['uncaughtException', undefined],
  ['unhandledRejection', 'Runtime.UnhandledPromiseRejection'],
]) {
  process.on(event, async (error) => {
    const place = current ? `/invocation/${current.id}/error` : '/init/error';
    await fail(place, error, type).catch(() => {});
    process.exit(129);
  });
}

async function main() {
  let handler;
  try {
    handler = await load(process.env._HANDLER ?? '');
  } catch (error) {
    await fail('/init/error', error);
    process.exit(1);
  }
  for (;;) {
    const { headers, body } = await call('GET', '/invocation/next');
    current = { id: headers['lambda-runtime-aws-request-id'] };
    process.env._X_AMZN_TRACE_ID = headers['lambda-runtime-trace-id'] ?? '';
    const place = `/invocation/${current.id}`;
    try {
      const result = await invoked(handler, JSON.parse(body), contextOf(headers));
      const text = JSON.stringify(result === undefined ? null : result) ?? 'null';
      await call('POST', `${place}/response`, text, { 'Content-Type': 'application/json' });
    } catch (error) {
      await fail(`${place}/error`, error);
    }
    current = undefined;
  }
}

main();
