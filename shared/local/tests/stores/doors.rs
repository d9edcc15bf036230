//! Uploads that come while the cloud is being set up.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use sidestep_aws::object::S3ObjectStore;
use sidestep_core::uri::S3Uri;
use sidestep_local::cloud::{Cloud, EventHandler, Ports, config_of};
use sidestep_local::events::{BoxError, FunctionNotification};
use tokio::sync::mpsc;

use crate::cloud::soon;

const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:trigger";

struct Heard(mpsc::UnboundedSender<Value>);

#[async_trait]
impl EventHandler for Heard {
    async fn handle(&self, event: Value) -> Result<(), BoxError> {
        Ok(self.0.send(event)?)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_before_the_cloud_is_set_up_is_notified() {
    let folder = tempfile::tempdir().unwrap();
    let mut cloud = Cloud::start(folder.path(), Ports::default()).await.unwrap();
    let base = config_of(&cloud.endpoints().credentials);
    let config = base.into_builder().endpoint_url(&cloud.endpoints().s3).build();
    let upload = tokio::spawn(async move {
        let uri = S3Uri::parse("s3://inbox/early").unwrap();
        S3ObjectStore::new(&config).replace(&uri, "content".into()).await
    });
    // It has every chance to come first.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert!(!upload.is_finished());
    let notification = FunctionNotification {
        id: "trigger".to_owned(),
        function_arn: FUNCTION.to_owned(),
        events: vec!["s3:ObjectCreated:*".to_owned()],
        prefix: None,
        suffix: None,
    };
    cloud.s3().create_notifying_bucket("inbox", vec![notification]).await.unwrap();
    let (sender, mut heard) = mpsc::unbounded_channel();
    let handler: Arc<dyn EventHandler> = Arc::new(Heard(sender));
    cloud.deliver_events(BTreeMap::from([(FUNCTION.to_owned(), handler)]));
    cloud.open_doors();
    soon(upload).await.unwrap().unwrap();
    let event = soon(heard.recv()).await.unwrap();
    assert_eq!(event["Records"][0]["s3"]["object"]["key"], "early");
}
