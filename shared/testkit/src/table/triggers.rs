//! The suite of the registered triggers.

use std::collections::BTreeMap;

use sidestep_core::event::trigger::Trigger;
use sidestep_core::name::PipelineName;
use sidestep_core::parse::Format;
use sidestep_engine::ports::triggers::TriggerStore;

pub(super) fn trigger(pipeline: &str, bucket: &str, prefix: &str) -> Trigger {
    Trigger {
        pipeline_name: PipelineName::parse(pipeline).unwrap(),
        definition_digest: "digest".to_owned(),
        definition_format: Format::Json,
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        suffix: ".csv".to_owned(),
        parameters: BTreeMap::from([("Input".to_owned(), "$.uri".to_owned())]),
        batch_seconds: None,
        left_out: BTreeMap::new(),
    }
}

/// Runs every case over a store without triggers. Panics at the first broken promise.
pub async fn suite(store: &dyn TriggerStore) {
    assert_eq!(store.triggers("inbox").await.unwrap(), []);
    let first =
        [trigger("p", "inbox", "a/"), trigger("p", "inbox", "b/"), trigger("q", "other", "")];
    for _ in 0..2 {
        store.replace_triggers(&first).await.unwrap();
        assert_eq!(store.triggers("inbox").await.unwrap(), first[..2], "twice is once");
        assert_eq!(store.triggers("other").await.unwrap(), first[2..]);
    }
    let second = [trigger("q", "inbox", "c/")];
    store.replace_triggers(&second).await.unwrap();
    assert_eq!(store.triggers("inbox").await.unwrap(), second, "what was there is gone");
    assert_eq!(store.triggers("other").await.unwrap(), []);
    store.replace_triggers(&[]).await.unwrap();
    assert_eq!(store.triggers("inbox").await.unwrap(), []);
}
