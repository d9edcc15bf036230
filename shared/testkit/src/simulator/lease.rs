//! A handler on a step SDK begins once if it must, and renews its lease. The check holds what that
//! promises.

use bytes::Bytes;
use serde_json::{Value, json};
use sidestep_core::execution::commit::{AttemptResult, Verdict};
use sidestep_core::execution::invocation::{AttemptName, Invocation, RESERVED_KEY};
use sidestep_core::failure::FailureType;
use sidestep_core::parse::parse;
use sidestep_core::plan::lease::{
    FIRST_RENEWAL_MS, RENEWAL_MS, RENEWED_LEASE_MS, STARTED_NAME, renewal,
};
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::executions::ExecutionStore;
use sidestep_engine::ports::objects::{Created, ObjectStore};

use super::notes::Held;
use super::world::World;

/// Returns true if this run of the attempt may begin, as the step SDKs find out.
pub(crate) async fn begins(world: &World, invocation: &Invocation, attempt: &AttemptName) -> bool {
    let uri = invocation.output_prefix.join(STARTED_NAME);
    let run = Bytes::from(json!({ "Run": world.sim.draw(0..u64::MAX) }).to_string());
    if !matches!(world.objects.create(&uri, run, "application/json").await, Ok(Created::New)) {
        return false;
    }
    // From here on, what is lost fails the step.
    world.notes().harm(attempt);
    let step = super::pipeline::number(invocation.step_name.as_str());
    let key = (invocation.execution_id.clone(), step, invocation.attempt_count);
    if !world.notes().begun.insert(key.clone()) {
        world.sim.violation("an attempt with `ExactlyOnceStart` began twice");
    }
    let first = (key.0.clone(), step, 0);
    let before: Vec<_> = world.notes().begun.range(first..key).map(|begun| begun.2).collect();
    for attempt in before {
        if !is_ended(world, invocation, attempt, true).await {
            let step = &invocation.step_name;
            world.sim.violation(format!("{step} began once more after attempt {attempt} was lost"));
        }
    }
    true
}

/// Checks that an attempt that renews its lease is not given up.
pub(crate) async fn look_at_lease(world: &World, payload: &Value) {
    let invocation = serde_json::from_value::<Invocation>(payload[RESERVED_KEY].clone());
    let Ok(invocation) = invocation else { return };
    let step = super::pipeline::number(invocation.step_name.as_str());
    let before = invocation.attempt_count.saturating_sub(1);
    let held = world.notes().held.get(&(invocation.execution_id.clone(), step, before)).copied();
    if held.is_some_and(|held| held.holds(world.sim.now_ms()))
        && !is_ended(world, &invocation, before, false).await
    {
        let step = &invocation.step_name;
        world
            .sim
            .violation(format!("{step} renews the lease of attempt {before}, and was given up"));
    }
}

/// Returns true if a commit ends this attempt of the invocation's step, and in a way that asks for
/// another one if that `is_wished`.
async fn is_ended(world: &World, invocation: &Invocation, attempt: u32, is_wished: bool) -> bool {
    let id = &invocation.execution_id;
    let Ok(Some(start)) = world.table.start(id).await else { return false };
    let uri = S3Uri::new(
        start.output_prefix.bucket(),
        format!("definitions/{}", start.definition_digest),
    );
    let Some(text) = world.objects.objects().get(&uri).cloned() else { return false };
    let Ok(parsed) = parse(&text, start.definition_format) else { return false };
    let Some(step) = parsed.pipeline.find(&invocation.step_name) else { return false };
    let Ok(Some(head)) = world.table.head(id).await else { return false };
    // HEAD may be behind.
    let revisions: Vec<_> = (1..=head.revision + 20).collect();
    let commits = world.table.commits(id, &revisions).await.unwrap_or_default();
    commits.iter().any(|commit| {
        // The engine's own retry of a call that failed ends the attempt, but no user asked for a
        // second run.
        let completed = commit.completions.iter().filter(|completion| match &completion.result {
            AttemptResult::Retried(retried) => {
                !(is_wished
                    && retried.failure.failure_type().is_some_and(FailureType::is_retried_by_default))
            }
            _ => true,
        });
        let mut stopped = commit.decisions.iter().filter(|decision| decision.step == step);
        completed.clone().any(|it| it.step == step && it.attempt_count == attempt)
            || stopped.any(|it| matches!(it.verdict, Verdict::Stopped { attempt_count } if attempt_count == attempt))
    })
}

/// Works for some time, and renews the lease meanwhile.
pub(crate) async fn work(world: &World, invocation: &Invocation) {
    let sim = &world.sim;
    let mut left_ms = match sim.draw(0..1_000) {
        0..=15 => sim.draw(40_000..850_000),
        16..=115 => sim.draw(100..40_000),
        _ => sim.draw(5..900),
    };
    let step = super::pipeline::number(invocation.step_name.as_str());
    let key = (invocation.execution_id.clone(), step, invocation.attempt_count);
    let (mut pause_ms, since_ms) = (FIRST_RENEWAL_MS, sim.now_ms() + FIRST_RENEWAL_MS);
    while left_ms > pause_ms {
        sim.sleep(pause_ms).await;
        left_ms -= pause_ms;
        pause_ms = RENEWAL_MS;
        let lost = sim.state().faults.lost;
        if sim.chance(lost) {
            world.note("renewal lost");
            world.notes().held.remove(&key);
            continue;
        }
        let uri = renewal(&invocation.output_prefix, sim.now_ms());
        if world.objects.create(&uri, Bytes::new(), "text/plain").await.is_ok() {
            let until_ms = sim.now_ms() + RENEWED_LEASE_MS;
            // Once a renewal was lost nothing is promised any more.
            let is_first = since_ms == sim.now_ms();
            let mut notes = world.notes();
            if is_first {
                notes.held.insert(key.clone(), Held { since_ms, until_ms });
            } else if let Some(held) = notes.held.get_mut(&key) {
                held.until_ms = until_ms;
            }
        }
    }
    sim.sleep(left_ms).await;
    world.notes().held.remove(&key);
}
