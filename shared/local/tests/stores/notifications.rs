//! Events: filed with the write, delivered at least once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    CompletedMultipartUpload, CompletedPart, Delete, Event, FilterRule, FilterRuleName,
    LambdaFunctionConfiguration, NotificationConfiguration, NotificationConfigurationFilter,
    ObjectIdentifier, S3KeyFilter,
};
use serde_json::{Value, json};
use sidestep_local::events::{BoxError, EventSink, FunctionNotification};
use sidestep_local::s3::S3Server;
use tokio::task::JoinHandle;

use crate::cloud::{BUCKET, Cloud, code, soon};

/// Remembers what was delivered to whom, and fails as often as it is told to.
#[derive(Default)]
pub(crate) struct Inbox {
    delivered: Mutex<Vec<(String, Value)>>,
    failures: AtomicUsize,
    panics: AtomicUsize,
}

#[async_trait]
impl EventSink for Inbox {
    async fn deliver(&self, function_arn: &str, event: Value) -> Result<(), BoxError> {
        let take = |left: &AtomicUsize| {
            left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                .is_ok()
        };
        assert!(!take(&self.panics), "told to panic");
        if take(&self.failures) {
            return Err("told to fail".into());
        }
        self.delivered.lock().unwrap().push((function_arn.to_owned(), event));
        Ok(())
    }
}

impl Inbox {
    /// Returns function, event and key of every delivery, sorted.
    ///
    /// Their order is not promised.
    pub(crate) fn summary(&self) -> Vec<String> {
        let summary = |(function, event): &(String, Value)| {
            let record = &event["Records"][0];
            let key = record["s3"]["object"]["key"].as_str().unwrap();
            format!("{function} {} {key}", record["eventName"].as_str().unwrap())
        };
        let mut lines: Vec<_> = self.delivered.lock().unwrap().iter().map(summary).collect();
        lines.sort();
        lines
    }
}

pub(crate) fn asks(
    function: &str,
    event: &str,
    prefix: &str,
    suffix: &str,
) -> FunctionNotification {
    FunctionNotification {
        id: format!("{function}-id"),
        function_arn: function.to_owned(),
        events: vec![event.to_owned()],
        prefix: Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty()),
        suffix: Some(suffix.to_owned()).filter(|suffix| !suffix.is_empty()),
    }
}

pub(crate) fn dispatch(s3: &S3Server, inbox: &Arc<Inbox>) -> JoinHandle<()> {
    let (s3, inbox) = (s3.clone(), Arc::clone(inbox));
    tokio::spawn(async move { s3.dispatch(inbox).await })
}

#[tokio::test]
async fn an_event_is_what_s3_would_send() {
    let cloud = Cloud::start().await;
    cloud
        .s3
        .set_notifications(BUCKET, vec![asks("f", "s3:ObjectCreated:*", "", "")])
        .await
        .unwrap();
    let inbox = Arc::new(Inbox::default());
    let dispatcher = dispatch(&cloud.s3, &inbox);
    cloud.put("a b/c+d", "hello").send().await.unwrap();
    soon(cloud.s3.drained()).await;
    dispatcher.abort();

    let (_, mut event) = inbox.delivered.lock().unwrap()[0].clone();
    let record = &mut event["Records"][0];
    let volatile =
        ["/eventTime", "/responseElements/x-amz-request-id", "/responseElements/x-amz-id-2"];
    for pointer in volatile {
        let value = record.pointer_mut(pointer).unwrap();
        *value = json!(format!("{} characters", value.as_str().unwrap().len()));
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&event).unwrap(), @r#"
    {
      "Records": [
        {
          "awsRegion": "eu-central-1",
          "eventName": "ObjectCreated:Put",
          "eventSource": "aws:s3",
          "eventTime": "24 characters",
          "eventVersion": "2.1",
          "requestParameters": {
            "sourceIPAddress": "127.0.0.1"
          },
          "responseElements": {
            "x-amz-id-2": "32 characters",
            "x-amz-request-id": "16 characters"
          },
          "s3": {
            "bucket": {
              "arn": "arn:aws:s3:::bucket",
              "name": "bucket",
              "ownerIdentity": {
                "principalId": "000000000000"
              }
            },
            "configurationId": "f-id",
            "object": {
              "eTag": "5d41402abc4b2a76b9719d911017c592",
              "key": "a+b/c%2Bd",
              "sequencer": "000000000000000001",
              "size": 5
            },
            "s3SchemaVersion": "1.0"
          },
          "userIdentity": {
            "principalId": "000000000000"
          }
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn each_function_gets_the_events_it_asked_for() {
    let cloud = Cloud::start().await;
    let asked = vec![
        asks("manifests", "s3:ObjectCreated:*", "runs/", "manifest.json"),
        asks("uploads", "s3:ObjectCreated:CompleteMultipartUpload", "", ""),
        asks("copies", "s3:ObjectCreated:Copy", "", ""),
        asks("removals", "s3:ObjectRemoved:*", "", ""),
    ];
    cloud.s3.set_notifications(BUCKET, asked).await.unwrap();
    let inbox = Arc::new(Inbox::default());
    let dispatcher = dispatch(&cloud.s3, &inbox);

    for key in ["runs/1/manifest.json", "runs/1/manifest.json.tmp", "other/manifest.json"] {
        cloud.put(key, "x").send().await.unwrap();
    }
    let client = &cloud.client;
    let copy = client.copy_object().bucket(BUCKET).key("copy");
    copy.copy_source(format!("{BUCKET}/other/manifest.json")).send().await.unwrap();
    let upload = client.create_multipart_upload().bucket(BUCKET).key("runs/2/manifest.json");
    let id = upload.send().await.unwrap().upload_id.unwrap();
    let part = client
        .upload_part()
        .bucket(BUCKET)
        .key("runs/2/manifest.json")
        .upload_id(&id)
        .part_number(1)
        .body(ByteStream::from_static(b"x"))
        .send()
        .await
        .unwrap();
    let completed = CompletedPart::builder().part_number(1).set_e_tag(part.e_tag).build();
    let complete = client.complete_multipart_upload().bucket(BUCKET).key("runs/2/manifest.json");
    let parts = CompletedMultipartUpload::builder().parts(completed).build();
    complete.upload_id(&id).multipart_upload(parts).send().await.unwrap();
    let keys = ["copy", "other/manifest.json", "never there"]
        .map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let delete = Delete::builder().set_objects(Some(keys.to_vec())).build().unwrap();
    client.delete_objects().bucket(BUCKET).delete(delete).send().await.unwrap();

    soon(cloud.s3.drained()).await;
    dispatcher.abort();
    let expected = [
        "copies ObjectCreated:Copy copy",
        "manifests ObjectCreated:CompleteMultipartUpload runs/2/manifest.json",
        "manifests ObjectCreated:Put runs/1/manifest.json",
        "removals ObjectRemoved:Delete copy",
        "removals ObjectRemoved:Delete other/manifest.json",
        "uploads ObjectCreated:CompleteMultipartUpload runs/2/manifest.json",
    ];
    assert_eq!(inbox.summary(), expected);
}

#[tokio::test]
async fn sequencers_grow_with_each_event_also_after_a_restart() {
    let mut cloud = Cloud::start().await;
    cloud
        .s3
        .set_notifications(BUCKET, vec![asks("f", "s3:ObjectCreated:*", "", "")])
        .await
        .unwrap();
    let inbox = Arc::new(Inbox::default());
    for _ in 0..3 {
        let dispatcher = dispatch(&cloud.s3, &inbox);
        cloud.put("k", "x").send().await.unwrap();
        soon(cloud.s3.drained()).await;
        dispatcher.abort();
        assert!(dispatcher.await.unwrap_err().is_cancelled());
        cloud = cloud.restart().await;
    }
    let sequencer = |event: &Value| {
        event["Records"][0]["s3"]["object"]["sequencer"].as_str().unwrap().to_owned()
    };
    let sequencers: Vec<_> =
        inbox.delivered.lock().unwrap().iter().map(|(_, event)| sequencer(event)).collect();
    assert_eq!(sequencers.len(), 3);
    assert!(sequencers.is_sorted_by(|one, next| one < next), "{sequencers:?}");
}

#[tokio::test]
async fn an_event_not_delivered_before_the_end_is_delivered_after_the_next_start() {
    let cloud = Cloud::start().await;
    cloud
        .s3
        .set_notifications(BUCKET, vec![asks("f", "s3:ObjectCreated:*", "", "")])
        .await
        .unwrap();
    cloud.put("k", "x").send().await.unwrap();
    let cloud = cloud.restart().await;
    let inbox = Arc::new(Inbox::default());
    let dispatcher = dispatch(&cloud.s3, &inbox);
    soon(cloud.s3.drained()).await;
    dispatcher.abort();
    assert_eq!(inbox.summary(), ["f ObjectCreated:Put k"]);
}

#[tokio::test]
async fn a_sink_that_fails_or_panics_gets_the_event_again() {
    let cloud = Cloud::start().await;
    cloud
        .s3
        .set_notifications(BUCKET, vec![asks("f", "s3:ObjectCreated:*", "", "")])
        .await
        .unwrap();
    let inbox = Arc::new(Inbox { failures: 1.into(), panics: 1.into(), ..Inbox::default() });
    let dispatcher = dispatch(&cloud.s3, &inbox);
    cloud.put("k", "x").send().await.unwrap();
    soon(cloud.s3.drained()).await;
    dispatcher.abort();
    assert_eq!(inbox.summary(), ["f ObjectCreated:Put k"]);
}

/// Takes no event of keys that start with `stuck`.
struct Stubborn(Arc<Inbox>);

#[async_trait]
impl EventSink for Stubborn {
    async fn deliver(&self, function_arn: &str, event: Value) -> Result<(), BoxError> {
        let key = event["Records"][0]["s3"]["object"]["key"].as_str().unwrap_or_default();
        if key.starts_with("stuck") {
            return Err("never".into());
        }
        self.0.deliver(function_arn, event).await
    }
}

#[tokio::test]
async fn events_that_always_fail_hold_up_no_others() {
    let cloud = Cloud::start().await;
    cloud
        .s3
        .set_notifications(BUCKET, vec![asks("f", "s3:ObjectCreated:*", "", "")])
        .await
        .unwrap();
    for number in 0..200 {
        cloud.put(&format!("stuck/{number}"), "x").send().await.unwrap();
    }
    let inbox = Arc::new(Inbox::default());
    let (s3, sink) = (cloud.s3.clone(), Arc::new(Stubborn(Arc::clone(&inbox))));
    let dispatcher = tokio::spawn(async move { s3.dispatch(sink).await });
    for number in 0..200 {
        cloud.put(&format!("free/{number}"), "x").send().await.unwrap();
    }
    crate::cloud::until("all free events are there", async || inbox.summary().len() == 200).await;
    dispatcher.abort();
}

#[tokio::test]
async fn an_event_that_no_function_asks_for_any_more_is_dropped() {
    let cloud = Cloud::start().await;
    cloud.put("before", "before any request").send().await.unwrap();
    cloud
        .s3
        .set_notifications(BUCKET, vec![asks("f", "s3:ObjectCreated:*", "", "")])
        .await
        .unwrap();
    cloud.put("k", "x").send().await.unwrap();
    cloud.s3.set_notifications(BUCKET, vec![]).await.unwrap();
    let inbox = Arc::new(Inbox::default());
    let dispatcher = dispatch(&cloud.s3, &inbox);
    soon(cloud.s3.drained()).await;
    dispatcher.abort();
    assert!(inbox.summary().is_empty());
}

#[tokio::test]
async fn a_configuration_is_read_back_as_it_was_put() {
    let cloud = Cloud::start().await;
    let rule = |name, value: &str| FilterRule::builder().name(name).value(value).build();
    let filter = S3KeyFilter::builder()
        .filter_rules(rule(FilterRuleName::Prefix, "runs/"))
        .filter_rules(rule(FilterRuleName::Suffix, ".json"));
    let configuration = |event: &str| {
        let function = LambdaFunctionConfiguration::builder()
            .id("planner")
            .lambda_function_arn("arn:aws:lambda:eu-central-1:000000000000:function:planner")
            .events(Event::from(event))
            .filter(NotificationConfigurationFilter::builder().key(filter.clone().build()).build())
            .build()
            .unwrap();
        NotificationConfiguration::builder().lambda_function_configurations(function).build()
    };
    let put = |event: &str| {
        let put = cloud.client.put_bucket_notification_configuration().bucket(BUCKET);
        put.notification_configuration(configuration(event)).send()
    };
    put("s3:ObjectCreated:*").await.unwrap();
    let get = cloud.client.get_bucket_notification_configuration().bucket(BUCKET);
    let found = get.send().await.unwrap();
    let expected = configuration("s3:ObjectCreated:*");
    assert_eq!(found.lambda_function_configurations(), expected.lambda_function_configurations());

    let unknown = put("s3:ObjectBorn:*").await.unwrap_err();
    assert_eq!(code(&unknown), "InvalidArgument");

    let inbox = Arc::new(Inbox::default());
    let dispatcher = dispatch(&cloud.s3, &inbox);
    cloud.put("runs/a.json", "x").send().await.unwrap();
    soon(cloud.s3.drained()).await;
    dispatcher.abort();
    assert_eq!(
        inbox.delivered.lock().unwrap()[0].1["Records"][0]["s3"]["configurationId"],
        "planner"
    );
}
