//! The adapters on an emulator of AWS: the suites that every store passes, over the wire and against another implementation than ours.

use sidestep_aws::object::S3ObjectStore;
use sidestep_aws::{local_config, table};
use sidestep_engine::trigger::TriggerStore;
use sidestep_testkit::emulator::{Emulator, REGION};
use sidestep_testkit::object::suite;

/// A bucket's or table's name that no other test run has.
fn unique(name: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!("{name}-{}-{}", std::process::id(), now.expect("after 1970").as_nanos())
}

#[tokio::test]
async fn the_object_store_passes_its_suite_on_the_emulator() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(emulator) = Emulator::start(folder.path()) else { return };
    let bucket = unique("suite");
    emulator.create_bucket(&bucket);
    let config = local_config(REGION).into_builder().endpoint_url(emulator.endpoint()).build();
    suite(&S3ObjectStore::new(&config), &bucket).await;
}

#[tokio::test]
async fn the_table_keeps_triggers_on_the_emulator() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(emulator) = Emulator::start(folder.path()) else { return };
    let config = local_config(REGION).into_builder().endpoint_url(emulator.endpoint()).build();
    let store = table::DynamoTable::new(&config, unique("table"));
    table::create_table(&store).await.expect("created");
    // Twice: a table that exists is as good.
    table::create_table(&store).await.expect("found");
    let trigger: sidestep_engine::trigger::Trigger = serde_json::from_value(serde_json::json!({
        "PipelineName": "flights", "DefinitionDigest": "sha256:0", "DefinitionFormat": "json",
        "Bucket": "inbox", "Prefix": "flights/", "Suffix": ".csv", "Parameters": {"Month": "$.stem"},
    }))
    .expect("a trigger");
    store.replace_triggers(std::slice::from_ref(&trigger)).await.expect("stored");
    assert_eq!(store.triggers("inbox").await.expect("read"), [trigger]);
    store.replace_triggers(&[]).await.expect("removed");
    assert_eq!(store.triggers("inbox").await.expect("read"), []);
}
