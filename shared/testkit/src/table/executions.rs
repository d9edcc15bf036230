//! The suite of executions: what is created once, what only moves forward, and what is listed.

use futures::future::join_all;
use sidestep_core::definition::StepIndex;
use sidestep_core::execution::commit::{Commit, End, Retry};
use sidestep_core::execution::invocation::RequestRecord;
use sidestep_core::execution::start::Start;
use sidestep_core::execution::{Execution, ExecutionStatus};
use sidestep_core::name::{ExecutionId, StepName};
use sidestep_core::plan::CallbackRecord;
use sidestep_core::plan::late_report::LateReport;
use sidestep_engine::ports::executions::{
    Committed, Creation, ExecutionStore, HeadChange, Summary,
};

use crate::fixture::{skip, start};

/// Runs every case over an empty table. Panics at the first broken promise.
pub async fn suite(store: &dyn ExecutionStore) {
    what_is_absent_is_none(store).await;
    an_execution_is_created_once(store).await;
    of_many_commits_of_one_revision_one_wins(store).await;
    commits_read_back_in_order(store).await;
    a_head_only_moves_forward(store).await;
    live_executions_and_the_list_follow_the_end(store).await;
    executions_are_listed_newest_first(store).await;
    a_callback_token_finds_its_step(store).await;
    a_request_id_finds_its_attempt(store).await;
    a_late_report_is_noted_once_for_each_attempt(store).await;
}

async fn what_is_absent_is_none(store: &dyn ExecutionStore) {
    let id = ExecutionId::from_bytes([200; 16]);
    assert_eq!(store.start(&id).await.unwrap(), None);
    assert_eq!(store.head(&id).await.unwrap(), None);
    assert_eq!(store.all_commits(&id).await.unwrap(), []);
    assert_eq!(store.commits(&id, &[1, 2]).await.unwrap(), []);
    assert_eq!(store.callback("token").await.unwrap(), None);
    assert_eq!(store.live().await.unwrap(), []);
    assert_eq!(store.list(None, 10).await.unwrap(), []);
}

async fn created(store: &dyn ExecutionStore, pipeline: &str, id: u8, at_ms: u64) -> Start {
    let start = start(pipeline, id, at_ms);
    assert_eq!(store.create(&start, 3).await.unwrap(), Creation::New);
    start
}

async fn an_execution_is_created_once(store: &dyn ExecutionStore) {
    let first = created(store, "once", 1, 10).await;
    let other = Start { trigger: "another".to_owned(), ..first.clone() };
    let exists = Creation::Exists(Box::new(first.clone()));
    assert_eq!(store.create(&other, 3).await.unwrap(), exists, "the first start counts");
    assert_eq!(store.start(&first.execution_id).await.unwrap(), Some(first.clone()));
    assert_eq!(store.head(&first.execution_id).await.unwrap(), Some(Execution::new(3)));
}

async fn of_many_commits_of_one_revision_one_wins(store: &dyn ExecutionStore) {
    let id = &created(store, "race", 2, 20).await.execution_id;
    let commits: Vec<_> = (0..8).map(|n| skip(1, n % 3, &format!("planner {n}"))).collect();
    let answers = join_all(commits.iter().map(|commit| store.commit(id, commit))).await;
    let outcomes: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    let won = outcomes.iter().position(|outcome| *outcome == Committed::Won).expect("one wins");
    for (position, outcome) in outcomes.iter().enumerate().filter(|(n, _)| *n != won) {
        assert_eq!(*outcome, Committed::Lost(Box::new(commits[won].clone())), "{position}");
    }
    let again = store.commit(id, &commits[won]).await.unwrap();
    assert_eq!(again, Committed::Won, "a put that timed out after it had succeeded finds itself");
    assert_eq!(store.all_commits(id).await.unwrap(), [commits[won].clone()]);
}

async fn commits_read_back_in_order(store: &dyn ExecutionStore) {
    let id = &created(store, "order", 3, 30).await.execution_id;
    // More than one request of DynamoDB reads.
    let commits: Vec<_> = (1..=120).map(|revision| skip(revision, 0, "ü \" \n")).collect();
    for commit in &commits {
        assert_eq!(store.commit(id, commit).await.unwrap(), Committed::Won);
    }
    assert_eq!(store.all_commits(id).await.unwrap(), commits);
    let some = store.commits(id, &[7, 3, 3, 121]).await.unwrap();
    assert_eq!(some, [commits[2].clone(), commits[6].clone()], "without the one that is not there");
    let all: Vec<_> = (1..=120).collect();
    assert_eq!(store.commits(id, &all).await.unwrap(), commits);
    assert_eq!(store.commits_after(id, 0).await.unwrap(), commits);
    assert_eq!(store.commits_after(id, 98).await.unwrap(), commits[98..]);
    assert_eq!(store.commits_after(id, 120).await.unwrap(), []);
}

async fn a_head_only_moves_forward(store: &dyn ExecutionStore) {
    let start = created(store, "head", 4, 40).await;
    let mut states = vec![Execution::new(3)];
    for revision in 1..=3 {
        let mut next = states[states.len() - 1].clone();
        next.apply(&skip(revision, revision as usize - 1, "")).unwrap();
        states.push(next);
    }
    for (written, kept) in [(2, 2), (1, 2), (2, 2), (3, 3), (1, 3)] {
        store.advance_head(&start, &states[written], HeadChange::Ongoing).await.unwrap();
        let head = store.head(&start.execution_id).await.unwrap();
        assert_eq!(head.as_ref(), Some(&states[kept]), "after revision {written}");
    }
}

async fn live_executions_and_the_list_follow_the_end(store: &dyn ExecutionStore) {
    let start = created(store, "live", 5, 50).await;
    let id = &start.execution_id;
    let is_live = async || store.live().await.unwrap().contains(id);
    let line = async || store.list(Some(&start.pipeline_name), 5).await.unwrap().remove(0);
    assert!(is_live().await);

    let end = End { failure_reason: Some("it broke".to_owned()), ..End::default() };
    let ended = Commit { end: Some(end.clone()), ..Commit::new(1, 99) };
    let mut state = Execution::new(3);
    state.apply(&ended).unwrap();
    let change = HeadChange::Ended { end: &end, at_ms: 99 };
    for _ in 0..2 {
        store.advance_head(&start, &state, change).await.unwrap();
        assert!(!is_live().await);
        let Summary { status, ended_at_ms, failure_reason, .. } = line().await;
        assert_eq!((status, ended_at_ms), (ExecutionStatus::Failed, Some(99)));
        assert_eq!(failure_reason.as_deref(), Some("it broke"));
    }

    assert!(!store.is_retry_asked(id).await.unwrap());
    assert!(!store.ask_retry(id, 0).await.unwrap(), "a caller that read the state before the end");
    assert!(!is_live().await && !store.is_retry_asked(id).await.unwrap());
    for _ in 0..2 {
        assert!(store.ask_retry(id, 1).await.unwrap());
        assert!(is_live().await && store.is_retry_asked(id).await.unwrap(), "for the sweep");
        assert_eq!(line().await.status, ExecutionStatus::Failed, "it is asked, and not done");
    }

    let retried = Commit { retry: Some(Retry::default()), ..Commit::new(2, 120) };
    let over = state.clone();
    state.apply(&retried).unwrap();
    store.advance_head(&start, &state, HeadChange::TakenUp).await.unwrap();
    assert!(is_live().await && !store.is_retry_asked(id).await.unwrap());
    let taken_up = line().await;
    assert_eq!((taken_up.status, taken_up.ended_at_ms), (ExecutionStatus::Executing, None));

    // A planner that was slow to say how the first try ended.
    store.advance_head(&start, &over, change).await.unwrap();
    assert!(is_live().await);
    assert_eq!(line().await.status, ExecutionStatus::Executing, "the older end is not listed");
}

async fn executions_are_listed_newest_first(store: &dyn ExecutionStore) {
    let mut ids = Vec::new();
    for (id, at_ms) in [(10, 1_000), (11, 3_000), (12, 2_000)] {
        ids.push(created(store, "listed", id, at_ms).await.execution_id);
    }
    let name = start("listed", 10, 0).pipeline_name;
    let listed = store.list(Some(&name), 10).await.unwrap();
    let order: Vec<_> = listed.iter().map(|line| line.execution_id.clone()).collect();
    assert_eq!(order, [ids[1].clone(), ids[2].clone(), ids[0].clone()]);
    assert_eq!(store.list(Some(&name), 1).await.unwrap(), listed[..1]);
    let all = store.list(None, 100).await.unwrap();
    assert!(
        all.len() > 3 && all.windows(2).all(|two| two[0].started_at_ms >= two[1].started_at_ms)
    );
}

async fn a_callback_token_finds_its_step(store: &dyn ExecutionStore) {
    let execution_id = created(store, "callback", 6, 60).await.execution_id;
    let record = CallbackRecord {
        execution_id,
        step: StepIndex(2),
        attempt_count: 1,
        revision: 4,
        is_unsent: true,
    };
    for _ in 0..2 {
        store.put_callback("Ab3", &record).await.unwrap();
        assert_eq!(store.callback("Ab3").await.unwrap(), Some(record.clone()));
    }
    let sent = CallbackRecord { is_unsent: false, ..record.clone() };
    for slow in [&sent, &record] {
        store.put_callback("Ab3", slow).await.unwrap();
        assert_eq!(store.callback("Ab3").await.unwrap(), Some(sent.clone()), "what was sent, was");
    }
    assert_eq!(store.callback("other").await.unwrap(), None);
}

async fn a_request_id_finds_its_attempt(store: &dyn ExecutionStore) {
    let execution_id = created(store, "request", 8, 80).await.execution_id;
    let record = RequestRecord {
        execution_id,
        step_name: StepName::parse("Work").unwrap(),
        attempt_count: 2,
        proof: "t".to_owned(),
        function_arn: "arn:aws:lambda:eu-west-1:123456789012:function:work:7".to_owned(),
        expires_at: 4_000_000_000,
    };
    for _ in 0..2 {
        store.put_request("c0ffee", &record).await.unwrap();
        assert_eq!(store.request("c0ffee").await.unwrap(), Some(record.clone()));
    }
    assert_eq!(store.request("other").await.unwrap(), None);
}

async fn a_late_report_is_noted_once_for_each_attempt(store: &dyn ExecutionStore) {
    let id = &created(store, "late", 7, 70).await.execution_id;
    let late = |step, attempt_count, at_ms| LateReport {
        step: StepIndex(step),
        attempt_count,
        at_ms,
        failure_type: Some("E".to_owned()),
    };
    for late in [late(1, 2, 5), late(1, 1, 6), late(0, 1, 7), late(1, 2, 8)] {
        store.note_late_report(id, &late).await.unwrap();
    }
    assert_eq!(store.late(id).await.unwrap(), [late(0, 1, 7), late(1, 1, 6), late(1, 2, 5)]);
}
