//! The requests to the event bus, checked by a server that records them.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::{Value, json};
use sidestep_aws::event_bus::EventBus;
use sidestep_aws::local_config;
use sidestep_core::view::status_change::{EXECUTION, StatusChange};
use sidestep_engine::ports::watcher::Watcher as _;
use tokio::net::TcpListener;

type Requests = Arc<Mutex<Vec<Value>>>;

/// Answers as EventBridge does: it accepts a request and refuses some of its entries, here those
/// without a detail.
async fn put_events(State(requests): State<Requests>, headers: HeaderMap, body: String) -> String {
    assert_eq!(headers["x-amz-target"], "AWSEvents.PutEvents");
    let request: Value = serde_json::from_str(&body).unwrap();
    let entries = request["Entries"].as_array().unwrap();
    let answer = |entry: &Value| match entry["Detail"].as_str().unwrap() {
        "{}" => json!({ "ErrorCode": "InternalFailure", "ErrorMessage": "not now" }),
        _ => json!({ "EventId": "one" }),
    };
    let answers: Vec<_> = entries.iter().map(answer).collect();
    let failed = answers.iter().filter(|answer| answer.get("ErrorCode").is_some()).count();
    requests.lock().unwrap().push(request.clone());
    json!({ "FailedEntryCount": failed, "Entries": answers }).to_string()
}

async fn bus() -> (EventBus, Requests) {
    let requests = Requests::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(put_events).with_state(Arc::clone(&requests));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let config = local_config("eu-west-1").into_builder().endpoint_url(endpoint).build();
    (EventBus::new(&config, "pipelines"), requests)
}

fn change(number: usize, detail: Value) -> StatusChange {
    StatusChange {
        detail_type: EXECUTION,
        at_ms: 1_700_000_000_250,
        id: number.to_string(),
        resources: ["arn:of:pipeline".to_owned(), "arn:of:execution".to_owned()],
        detail,
    }
}

#[tokio::test]
async fn changes_of_status_are_put_on_the_bus_ten_at_a_time() {
    let (bus, requests) = bus().await;
    let changes: Vec<_> = (0..25).map(|n| change(n, json!({ "number": n }))).collect();
    bus.changed(&changes).await.unwrap();
    bus.changed(&[]).await.unwrap();
    let requests = requests.lock().unwrap();
    let batches: Vec<_> =
        requests.iter().map(|request| request["Entries"].as_array().unwrap()).collect();
    let sizes: Vec<_> = batches.iter().map(|entries| entries.len()).collect();
    assert_eq!(sizes, [10, 10, 5], "and nothing is asked where nothing changed");
    for (number, entry) in batches.into_iter().flatten().enumerate() {
        let detail = json!({ "number": number }).to_string();
        let expected = json!({
            "Time": 1_700_000_000.25,
            "Source": "sidestep",
            "Resources": ["arn:of:pipeline", "arn:of:execution"],
            "DetailType": "SageMaker Model Building Pipeline Execution Status Change",
            "Detail": detail,
            "EventBusName": "pipelines",
        });
        assert_eq!(*entry, expected);
    }
}

#[tokio::test]
async fn refused_events_are_reported_and_the_rest_is_sent() {
    let (bus, requests) = bus().await;
    let detail = |n: usize| if n.is_multiple_of(8) { json!({}) } else { json!({ "number": n }) };
    let changes: Vec<_> = (0..12).map(|n| change(n, detail(n))).collect();
    let error = bus.changed(&changes).await.unwrap_err().to_string();
    assert!(
        error.contains("refused 2 of") && error.contains("InternalFailure: not now"),
        "{error}"
    );
    assert_eq!(requests.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_bus_that_cannot_be_reached_is_an_error() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let config = local_config("eu-west-1").into_builder().endpoint_url(endpoint).build();
    let bus = EventBus::new(&config, "pipelines");
    bus.changed(&[change(1, json!({}))]).await.unwrap_err();
}
