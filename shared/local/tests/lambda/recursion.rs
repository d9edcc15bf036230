//! The guard against recursive loops, as a function that invokes itself meets it.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sidestep_core::name::FunctionName;
use sidestep_local::lambda::{
    Code, Destination, FunctionConfig, FunctionError, Handler, InvocationMeta, InvocationType,
    InvokeError, InvokeRequest, LambdaHost, RecursiveLoop,
};

use crate::fixture::{TestHost, eventually};

/// Invokes itself until its event has come down to 0.
///
/// Like a function's SDK it passes on the trace header that it was given.
struct Countdown {
    host: LambdaHost,
}

fn request(event: u64, invocation_type: InvocationType, trace_id: Option<String>) -> InvokeRequest {
    InvokeRequest {
        function: "countdown".to_owned(),
        payload: event.to_string().into(),
        invocation_type,
        client_context: None,
        trace_id,
        attempt: None,
    }
}

#[async_trait::async_trait]
impl Handler for Countdown {
    async fn handle(&self, event: Value, meta: InvocationMeta) -> Result<Value, FunctionError> {
        if let Some(left @ 1..) = event.as_u64() {
            let next = request(left - 1, InvocationType::Event, Some(meta.trace_id));
            self.host
                .invoke_with(next)
                .await
                .map_err(|e| FunctionError::new("Next", e.to_string()))?;
        }
        Ok(json!(meta.function_name.as_str()))
    }
}

/// Makes a host with the function, and collects the records of its failures.
fn countdown(recursive_loop: RecursiveLoop) -> (TestHost, Arc<Mutex<Vec<Value>>>) {
    let test = TestHost::new();
    let records = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&records);
    let handler = Countdown { host: test.host.clone() };
    let name = FunctionName::parse("countdown").unwrap();
    let config = FunctionConfig::new(name, Code::InProcess(Arc::new(handler)));
    let sink = Destination::Sink(Arc::new(move |record| kept.lock().unwrap().push(record)));
    test.host
        .register(FunctionConfig { on_failure: Some(sink), recursive_loop, ..config })
        .unwrap();
    (test, records)
}

fn invocations(test: &TestHost) -> u64 {
    test.host.counts().invocations.values().sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seventeenth_visit_of_a_chain_is_dropped_and_recorded() {
    let (test, records) = countdown(RecursiveLoop::Terminate);
    test.host.invoke_with(request(39, InvocationType::Event, None)).await.unwrap();
    eventually("the drop", || !records.lock().unwrap().is_empty()).await;
    eventually("the end", || test.host.load() == sidestep_local::lambda::Load::default()).await;
    assert_eq!(invocations(&test), 16);
    assert_eq!(test.host.counts().recursive_invocations_dropped, 1);
    let record = records.lock().unwrap()[0].clone();
    assert_eq!(record["requestPayload"], 39 - 16);
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 0);

    // Another chain has counters of its own.
    test.host.invoke_with(request(3, InvocationType::Event, None)).await.unwrap();
    eventually("the second chain", || invocations(&test) == 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_recursion_is_allowed_a_chain_goes_on() {
    let (test, records) = countdown(RecursiveLoop::Allow);
    test.host.invoke_with(request(39, InvocationType::Event, None)).await.unwrap();
    eventually("the end", || invocations(&test) == 40).await;
    assert_eq!(test.host.counts().recursive_invocations_dropped, 0);
    assert!(records.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_visit_too_many_is_refused() {
    let (test, _) = countdown(RecursiveLoop::Terminate);
    let seen = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&seen);
    let name = FunctionName::parse("countdown").unwrap();
    let look = move |_: Value, meta: InvocationMeta| {
        *keep.lock().unwrap() = Some(meta.trace_id);
        async { Ok(json!(null)) }
    };
    test.host.register(FunctionConfig::new(name, Code::InProcess(Arc::new(look)))).unwrap();
    for _ in 0..16 {
        let header = seen.lock().unwrap().clone();
        test.host.invoke_with(request(0, InvocationType::RequestResponse, header)).await.unwrap();
    }
    let header = seen.lock().unwrap().clone();
    let refused = test.host.invoke_with(request(0, InvocationType::RequestResponse, header)).await;
    let error = refused.unwrap_err();
    assert!(matches!(error, InvokeError::RecursiveInvocation { visits: 16, .. }), "{error}");
}
