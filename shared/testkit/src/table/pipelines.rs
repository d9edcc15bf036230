//! The suite of registered pipelines.

use std::collections::BTreeMap;

use futures::future::join_all;
use sidestep_core::name::{ExecutionId, PipelineName};
use sidestep_core::parse::Format;
use sidestep_engine::ports::pipelines::{
    Answered, Label, PipelineRecord, PipelineStore, VersionRecord,
};

/// Checks the promises of an empty store.
pub async fn suite(store: &dyn PipelineStore) {
    nothing_is_there_at_first(store).await;
    a_change_counts_only_on_the_revision_it_was_made_from(store).await;
    of_many_changes_of_one_revision_one_is_accepted(store).await;
    versions_are_listed_by_number(store).await;
    labels_are_replaced_and_absent_ones_left_out(store).await;
    the_first_answer_counts(store).await;
    an_answer_counts_until_it_expires(store).await;
}

fn record(name: &str, revision: u64, description: &str) -> PipelineRecord {
    PipelineRecord {
        revision,
        pipeline_name: PipelineName::parse(name).unwrap(),
        display_name: None,
        description: Some(description.to_owned()),
        role_arn: None,
        max_parallel_execution_steps: Some(3),
        tags: BTreeMap::from([("k".to_owned(), "ü \" \n".to_owned())]),
        aliases: BTreeMap::from([("live".to_owned(), 1)]),
        latest_version: 1,
        created_at_ms: 10,
        modified_at_ms: 20,
        is_deleted: false,
        hidden_until_ms: 0,
    }
}

fn version(version_id: u64) -> VersionRecord {
    VersionRecord {
        version_id,
        definition_digest: format!("digest {version_id}"),
        definition_format: Format::Yaml,
        created_at_ms: version_id,
        display_name: None,
        description: None,
        is_of_project: false,
    }
}

async fn nothing_is_there_at_first(store: &dyn PipelineStore) {
    let name = PipelineName::parse("none").unwrap();
    assert_eq!(store.pipeline(&name).await.unwrap(), None);
    assert_eq!(store.pipelines().await.unwrap(), []);
    assert_eq!(store.version(&name, 1).await.unwrap(), None);
    assert_eq!(store.versions(&name).await.unwrap(), []);
    assert_eq!(store.answered("none", 0).await.unwrap(), None);
}

async fn a_change_counts_only_on_the_revision_it_was_made_from(store: &dyn PipelineStore) {
    let first = record("change", 1, "first");
    assert!(!store.put_pipeline(&record("change", 2, "too early"), None).await.unwrap());
    for _ in 0..2 {
        assert!(store.put_pipeline(&first, Some(&version(1))).await.unwrap(), "twice is fine");
    }
    let other = record("change", 1, "another first");
    assert!(!store.put_pipeline(&other, Some(&version(9))).await.unwrap());
    assert_eq!(store.pipeline(&first.pipeline_name).await.unwrap(), Some(first.clone()));
    assert_eq!(store.version(&first.pipeline_name, 9).await.unwrap(), None, "nor its version");

    let second = PipelineRecord { is_deleted: true, ..record("change", 2, "second") };
    assert!(store.put_pipeline(&second, None).await.unwrap());
    assert!(!store.put_pipeline(&first, None).await.unwrap(), "an older one changes nothing");
    assert_eq!(store.pipeline(&first.pipeline_name).await.unwrap(), Some(second.clone()));
    assert_eq!(store.pipelines().await.unwrap(), [second], "deleted ones included");
}

async fn of_many_changes_of_one_revision_one_is_accepted(store: &dyn PipelineStore) {
    let records: Vec<_> = (0..8).map(|n| record("race", 1, &format!("{n}"))).collect();
    let puts = records.iter().map(|record| store.put_pipeline(record, None));
    let accepted: Vec<_> = join_all(puts).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(accepted.iter().filter(|accepted| **accepted).count(), 1, "{accepted:?}");
    let won = accepted.iter().position(|accepted| *accepted).unwrap();
    let stored = store.pipeline(&records[0].pipeline_name).await.unwrap();
    assert_eq!(stored.as_ref(), Some(&records[won]));
}

async fn versions_are_listed_by_number(store: &dyn PipelineStore) {
    for number in 1..=12 {
        let record = record("versions", number, "");
        assert!(store.put_pipeline(&record, Some(&version(number))).await.unwrap());
    }
    let name = PipelineName::parse("versions").unwrap();
    let all: Vec<_> = (1..=12).map(version).collect();
    assert_eq!(store.versions(&name).await.unwrap(), all, "10 comes after 9");
    assert_eq!(store.version(&name, 11).await.unwrap(), Some(version(11)));
}

async fn labels_are_replaced_and_absent_ones_left_out(store: &dyn PipelineStore) {
    let ids = [1, 2, 3].map(|id| ExecutionId::from_bytes([id; 16]));
    let label = |version_id| Label { version_id: Some(version_id), ..Label::default() };
    for (id, version_id) in [(&ids[0], 1), (&ids[1], 2), (&ids[0], 3)] {
        store.put_label(id, &label(version_id)).await.unwrap();
    }
    let expected = BTreeMap::from([(ids[0].clone(), label(3)), (ids[1].clone(), label(2))]);
    assert_eq!(store.labels(&ids).await.unwrap(), expected);
    assert_eq!(store.labels(&[]).await.unwrap(), BTreeMap::new());
}

async fn the_first_answer_counts(store: &dyn PipelineStore) {
    let first = answered("first", None);
    for answer in ["first", "second", "first"] {
        // One without an end counts for ever.
        let now_ms = u64::MAX;
        let next = if answer == "first" { first.clone() } else { answered(answer, Some(1)) };
        assert_eq!(store.remember("key", &next, now_ms).await.unwrap(), first);
        assert_eq!(store.answered("key", now_ms).await.unwrap().as_ref(), Some(&first));
    }
    assert_eq!(store.answered("other", 0).await.unwrap(), None);
}

async fn an_answer_counts_until_it_expires(store: &dyn PipelineStore) {
    let (first, second) = (answered("1", Some(1_000)), answered("2", Some(2_000)));
    assert_eq!(store.remember("short", &first, 0).await.unwrap(), first);
    // To the last millisecond.
    assert_eq!(store.remember("short", &second, 999_999).await.unwrap(), first);
    assert_eq!(store.answered("short", 999_999).await.unwrap(), Some(first));
    assert_eq!(store.answered("short", 1_000_000).await.unwrap(), None);
    assert_eq!(store.remember("short", &second, 1_000_000).await.unwrap(), second);
    assert_eq!(store.answered("short", 1_000_000).await.unwrap(), Some(second));
}

fn answered(answer: &str, expires_at: Option<u64>) -> Answered {
    Answered { request: "r".to_owned(), answer: answer.to_owned(), expires_at }
}
