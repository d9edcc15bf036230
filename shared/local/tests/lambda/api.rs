//! The Lambda API through the real SDK, and through raw HTTP what the SDK hides.

use aws_config::{BehaviorVersion, Region, retry::RetryConfig};
use aws_sdk_lambda::{
    Client,
    config::Credentials,
    error::ProvideErrorMetadata,
    primitives::Blob,
    types::{InvocationType, LogType, State},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::fixture::TestHost;

struct Api {
    client: Client,
    stop: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
}

async fn serve(test: &TestHost) -> Api {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let host = test.host.clone();
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(async move {
        host.serve_api(listener, async { stopped.await.unwrap_or(()) }).await
    });
    let config = aws_config::SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(aws_sdk_lambda::config::SharedCredentialsProvider::new(
            Credentials::new("test", "test", None, None, "test"),
        ))
        .retry_config(RetryConfig::disabled())
        .http_client(sidestep_aws::plain_http_client())
        .endpoint_url(&endpoint)
        .build();
    Api { client: Client::new(&config), stop, served }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_invokes_functions() {
    let test = TestHost::new();
    test.register("echo");
    let Api { client, stop, served } = serve(&test).await;

    let arn = "arn:aws:lambda:us-east-1:000000000000:function:echo";
    let context = BASE64_STANDARD.encode(r#"{"custom":{"a":"b"}}"#);
    let output = client
        .invoke()
        .function_name(arn)
        .qualifier("$LATEST")
        .payload(Blob::new(r#"{"print": "hello"}"#))
        .client_context(context)
        .log_type(LogType::Tail)
        .send()
        .await
        .unwrap();
    assert_eq!(output.status_code(), 200);
    assert_eq!(output.executed_version(), Some("$LATEST"));
    assert_eq!(output.function_error(), None);
    let answer: Value = serde_json::from_slice(output.payload().unwrap().as_ref()).unwrap();
    assert_eq!(answer["event"]["print"], "hello");
    assert_eq!(answer["client_context"]["custom"]["a"], "b");
    let log = BASE64_STANDARD.decode(output.log_result().unwrap()).unwrap();
    assert!(String::from_utf8(log).unwrap().contains("\nhello\n"));

    let payload = Blob::new(r#"{"fail": "no"}"#);
    let failed = client.invoke().function_name("echo").payload(payload).send().await.unwrap();
    assert_eq!(failed.function_error(), Some("Unhandled"));
    assert_eq!(failed.log_result(), None);
    let document: Value = serde_json::from_slice(failed.payload().unwrap().as_ref()).unwrap();
    assert_eq!(document, json!({ "errorType": "Fixture.Wanted", "errorMessage": "no" }));

    for (invocation_type, status) in [(InvocationType::Event, 202), (InvocationType::DryRun, 204)] {
        let request = client.invoke().function_name("echo").invocation_type(invocation_type);
        assert_eq!(request.send().await.unwrap().status_code(), status);
    }
    let operations = test.host.counts().operations;
    assert_eq!(operations["Invoke"], 4);

    drop(client);
    stop.send(()).unwrap();
    served.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_describes_functions() {
    let test = TestHost::new();
    test.register_with("echo", |config| config.memory_mb = 512);
    test.register("other");
    let Api { client, stop: _stop, .. } = serve(&test).await;

    let config = client.get_function_configuration().function_name("echo").send().await.unwrap();
    assert_eq!(config.function_name(), Some("echo"));
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:echo";
    assert_eq!(config.function_arn(), Some(arn));
    assert_eq!(config.code_sha256(), Some("c0de"));
    // The number of the version that holds this code.
    assert!(config.version().is_some_and(|version| version.parse::<u32>().is_ok()));
    assert_eq!(config.memory_size(), Some(512));
    assert_eq!(config.timeout(), Some(120));
    assert_eq!(config.state(), Some(&State::Active));
    assert_eq!(config.last_update_status().unwrap().as_str(), "Successful");
    assert_eq!(config.runtime().unwrap().as_str(), "provided.al2023");

    let function = client.get_function().function_name(arn).send().await.unwrap();
    assert_eq!(function.configuration().unwrap().code_sha256(), Some("c0de"));
    let list = client.list_functions().send().await.unwrap();
    let names: Vec<_> = list.functions().iter().filter_map(|f| f.function_name()).collect();
    assert_eq!(names, ["echo", "other"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_sees_lambdas_errors() {
    let test = TestHost::new();
    test.register("echo");
    let Api { client, stop: _stop, .. } = serve(&test).await;
    let invoke = || client.invoke().function_name("echo");

    let unknown = client.invoke().function_name("unknown").send().await.unwrap_err();
    assert!(unknown.as_service_error().unwrap().is_resource_not_found_exception());
    let version = invoke().qualifier("7").send().await.unwrap_err();
    assert!(version.as_service_error().unwrap().is_resource_not_found_exception());
    let unknown = client.get_function().function_name("unknown").send().await.unwrap_err();
    assert!(unknown.as_service_error().unwrap().is_resource_not_found_exception());

    let malformed = invoke().payload(Blob::new("{\"a\":")).send().await.unwrap_err();
    assert!(malformed.as_service_error().unwrap().is_invalid_request_content_exception());
    let payload = Blob::new(format!("\"{}\"", "a".repeat(7 * 1024 * 1024)));
    let large = invoke().payload(payload).send().await.unwrap_err();
    assert_eq!(large.code(), Some("RequestTooLargeException"));
    assert_eq!(large.raw_response().unwrap().status().as_u16(), 413);
    let context = invoke().client_context("not base64").send().await.unwrap_err();
    assert_eq!(context.code(), Some("InvalidParameterValueException"));
    assert_eq!(test.host.counts().environments_started, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_sees_a_throttle() {
    let test = TestHost::new();
    test.register_with("one", |config| config.max_concurrency = Some(1));
    let Api { client, stop: _stop, .. } = serve(&test).await;
    let sleep = Blob::new(r#"{"sleep_ms": 3600000}"#);
    let event = client.invoke().function_name("one").invocation_type(InvocationType::Event);
    event.payload(sleep).send().await.unwrap();
    crate::fixture::eventually("it runs", || test.host.load().running == 1).await;

    let throttled = client.invoke().function_name("one").send().await.unwrap_err();

    assert!(throttled.as_service_error().unwrap().is_too_many_requests_exception());
    assert_eq!(throttled.raw_response().unwrap().status().as_u16(), 429);
    test.host.shutdown(std::time::Duration::ZERO).await;
}
