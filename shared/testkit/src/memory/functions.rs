//! Functions in memory, which record their invocations.

use std::collections::BTreeMap;

use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};
use serde_json::Value;
use sidestep_core::execution::invocation::AttemptName;
use sidestep_core::execution::start::Function;
use sidestep_engine::ports::functions::{FunctionError, Functions};

/// An invocation that was accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct Invoked {
    pub request_id: String,
    pub invoke_arn: String,
    pub payload: Value,
}

/// Functions whose invocations wait to be taken by the test.
///
/// As on Lambda, `invoke` only says that the event was queued, and a published version keeps its
/// code when new code is live.
#[derive(Debug, Default)]
pub struct MemoryFunctions {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The live version by name, and every version there ever was by `NAME:DIGEST`.
    known: BTreeMap<String, Function>,
    invoked: Vec<Invoked>,
    /// How many invocations were accepted so far.
    count: u64,
}

impl MemoryFunctions {
    /// Makes `code_digest` the live version of a function.
    pub fn deploy(&self, name: &str, code_digest: &str, timeout_seconds: u32) {
        self.deploy_as(name, code_digest, timeout_seconds, (false, false));
    }

    /// Makes `code_digest` the live version of a function that gets its arguments alone.
    pub fn deploy_plain(&self, name: &str, code_digest: &str, timeout_seconds: u32) {
        self.deploy_as(name, code_digest, timeout_seconds, (false, true));
    }

    /// Makes `code_digest` the live version of a function with a step SDK.
    pub fn deploy_with_sdk(&self, name: &str, code_digest: &str, timeout_seconds: u32) {
        self.deploy_as(name, code_digest, timeout_seconds, (true, false));
    }

    fn deploy_as(
        &self,
        name: &str,
        code_digest: &str,
        timeout_seconds: u32,
        (has_sdk, is_plain): (bool, bool),
    ) {
        let invoke_arn = format!("{name}:{code_digest}");
        // The code of two functions is never the same.
        let code_digest = invoke_arn.clone();
        let function = Function {
            invoke_arn: invoke_arn.clone(),
            code_digest,
            memory_mb: 128,
            timeout_seconds,
            has_sdk,
            reads: Vec::new(),
            places: Vec::new(),
            is_plain,
        };
        let mut state = self.lock();
        state.known.insert(name.to_owned(), function.clone());
        state.known.insert(invoke_arn, function);
    }

    /// Removes a function or a version.
    pub fn remove(&self, arn: &str) {
        self.lock().known.remove(arn);
    }

    /// Takes the invocations since the last call.
    pub fn take(&self) -> Vec<Invoked> {
        std::mem::take(&mut self.lock().invoked)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

#[async_trait]
impl Functions for MemoryFunctions {
    async fn describe(&self, function_arn: &str) -> Result<Option<Function>, FunctionError> {
        Ok(self.lock().known.get(function_arn).cloned())
    }

    async fn invoke(
        &self,
        invoke_arn: &str,
        payload: &Value,
        _: &AttemptName,
    ) -> Result<String, FunctionError> {
        let mut state = self.lock();
        if !state.known.contains_key(invoke_arn) {
            return Err(FunctionError::NotFound { function_arn: invoke_arn.to_owned() });
        }
        state.count += 1;
        let request_id = format!("request-{}", state.count);
        state.invoked.push(Invoked {
            request_id: request_id.clone(),
            invoke_arn: invoke_arn.to_owned(),
            payload: payload.clone(),
        });
        Ok(request_id)
    }
}
