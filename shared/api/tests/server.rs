//! A router over in-memory ports, and short ways to ask it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use sidestep_api::{Admission, Api, router};
use sidestep_engine::engine::Engine;
use sidestep_engine::options::EngineOptions;
use sidestep_engine::ports::objects::memory::MemoryObjectStore;
use sidestep_engine::ports::{Deployment, Ports};
use sidestep_testkit::memory::{
    Invoked, ManualClock, MemoryBatches, MemoryCache, MemoryFunctions, MemoryPipelines,
    MemoryQueues, MemoryTable, MemoryTriggers,
};
use tower::ServiceExt as _;

pub(crate) const ROLE: &str = "arn:aws:iam::000000000000:role/pipelines";
pub(crate) const QUEUE: &str = "https://sqs.us-east-1.amazonaws.com/000000000000/approvals";
/// The time of the first request, in milliseconds since 1970.
const NOW_MS: u64 = 1_700_000_000_000;

pub(crate) struct Server {
    router: Router,
    engine: Arc<Engine>,
    functions: Arc<MemoryFunctions>,
    clock: Arc<ManualClock>,
    pub(crate) queues: Arc<MemoryQueues>,
    tokens: AtomicU64,
}

impl Server {
    /// Makes a server with the function `work` and the queue [`QUEUE`].
    pub(crate) fn new() -> Self {
        Self::with(Admission::Loopback)
    }

    pub(crate) fn with(admission: Admission) -> Self {
        let functions = Arc::new(MemoryFunctions::default());
        functions.deploy("work", "sha256:code", 60);
        let queues = Arc::new(MemoryQueues::default());
        queues.create(QUEUE);
        let clock = Arc::new(ManualClock::at(NOW_MS));
        let ports = Ports {
            executions: Arc::new(MemoryTable::default()),
            cache: Arc::new(MemoryCache::default()),
            objects: Arc::new(MemoryObjectStore::default()),
            functions: functions.clone(),
            queues: queues.clone(),
            triggers: Arc::new(MemoryTriggers::default()),
            batches: Arc::new(MemoryBatches::default()),
            clock: clock.clone(),
        };
        let deployment = Deployment {
            artifact_bucket: "artifacts".to_owned(),
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
        };
        let engine = Arc::new(Engine::new(deployment, ports, EngineOptions::default()));
        let pipelines = Arc::new(MemoryPipelines::default());
        let left_out = BTreeMap::from([("broken".to_owned(), "it does not compile".to_owned())]);
        let api = Arc::new(Api::new(Arc::clone(&engine), pipelines, left_out));
        let tokens = AtomicU64::new(0);
        Self { router: router(api, admission), engine, functions, clock, queues, tokens }
    }

    /// Sends a request and returns the answer's status and document.
    pub(crate) async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.headers()["content-type"], "application/x-amz-json-1.1");
        assert!(response.headers().contains_key("x-amzn-requestid"));
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// Performs an operation, whatever comes of it.
    pub(crate) async fn ask(&self, operation: &str, body: &Value) -> (StatusCode, Value) {
        let request = Request::post("/")
            .header("host", "127.0.0.1:4000")
            .header("x-amz-target", format!("SageMaker.{operation}"));
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// Performs an operation that succeeds, and returns the answer.
    pub(crate) async fn ok(&self, operation: &str, body: Value) -> Value {
        let (status, answer) = self.ask(operation, &body).await;
        assert_eq!(status, StatusCode::OK, "{operation} {body}: {answer}");
        answer
    }

    /// Performs an operation that is refused, and returns the exception's type and text.
    pub(crate) async fn refused(&self, operation: &str, body: Value) -> (String, String) {
        let (status, answer) = self.ask(operation, &body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{operation} {body}: {answer}");
        let text = answer.get("message").or(answer.get("Message")).unwrap();
        (answer["__type"].as_str().unwrap().to_owned(), text.as_str().unwrap().to_owned())
    }

    /// Returns an idempotency token that was not used before.
    pub(crate) fn token(&self) -> String {
        format!("{:032}", self.tokens.fetch_add(1, Ordering::SeqCst))
    }

    pub(crate) async fn create(&self, name: &str, definition: &Value) -> Value {
        let body = json!({
            "PipelineName": name,
            "RoleArn": ROLE,
            "PipelineDefinition": definition.to_string(),
            "ClientRequestToken": self.token(),
        });
        self.ok("CreatePipeline", body).await["PipelineArn"].clone()
    }

    /// Starts an execution one second later, and returns its ARN.
    pub(crate) async fn start(&self, name: &str) -> Value {
        self.clock.advance(1_000);
        let body = json!({ "PipelineName": name, "ClientRequestToken": self.token() });
        self.ok("StartPipelineExecution", body).await["PipelineExecutionArn"].clone()
    }

    /// Reports the end of every function that runs, until none does. Returns how many did.
    pub(crate) async fn finish(&self, condition: &str, response: Value) -> usize {
        let mut count = 0;
        loop {
            let invoked = self.functions.take();
            if invoked.is_empty() {
                return count;
            }
            for invocation in invoked {
                self.report(condition, &invocation, &response).await;
                count += 1;
            }
        }
    }

    /// Reports the end of one invocation, a second later.
    async fn report(&self, condition: &str, invocation: &Invoked, response: &Value) {
        self.clock.advance(1_000);
        let report = json!({
            "requestContext": { "condition": condition, "requestId": invocation.request_id,
                "functionArn": invocation.invoke_arn },
            "requestPayload": invocation.payload,
            "responsePayload": response,
        });
        self.engine.handle(report).await.unwrap();
    }

    /// Lets every function that runs succeed.
    pub(crate) async fn succeed(&self) -> usize {
        self.finish("Success", json!({ "Rows": 3 })).await
    }

    /// Makes a function known.
    pub(crate) fn deploy(&self, name: &str) {
        self.functions.deploy(name, "sha256:code", 60);
    }

    /// Lets the functions that run now fail, and not those that start because of it.
    pub(crate) async fn fail_once(&self) {
        for invocation in self.functions.take() {
            let response = json!({ "errorType": "ValueError", "errorMessage": "no rows" });
            self.report("RetriesExhausted", &invocation, &response).await;
        }
    }

    /// Lets every function that runs fail.
    pub(crate) async fn fail(&self) -> usize {
        let response = json!({ "errorType": "ValueError", "errorMessage": "no rows" });
        self.finish("RetriesExhausted", response).await
    }

    pub(crate) async fn status(&self, arn: &Value) -> Value {
        let body = json!({ "PipelineExecutionArn": arn });
        self.ok("DescribePipelineExecution", body).await["PipelineExecutionStatus"].clone()
    }
}

/// Returns a Lambda step of the function `work` after another step.
pub(crate) fn step(name: &str, after: Option<&str>) -> Value {
    json!({
        "Name": name,
        "Type": "Lambda",
        "FunctionArn": "work",
        "Arguments": { "Step": name },
        "DependsOn": after.into_iter().collect::<Vec<_>>(),
        "OutputParameters": [{ "OutputName": "Rows", "OutputType": "Integer" }],
    })
}

/// Returns a definition with the parameter `Month`.
pub(crate) fn definition(steps: &[Value]) -> Value {
    json!({
        "Version": "2020-12-01",
        "Parameters": [{ "Name": "Month", "Type": "String", "DefaultValue": "2013-01" }],
        "Steps": steps,
    })
}

/// Returns one member of every element of a list.
pub(crate) fn column<'a>(answer: &'a Value, list: &str, member: &str) -> Vec<&'a Value> {
    answer[list].as_array().unwrap().iter().map(|line| &line[member]).collect()
}
