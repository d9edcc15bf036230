//! Runs an invocation of a step function: it takes time, may die or hang, and reports by manifest
//! or by Lambda's destination.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use sidestep_core::execution::invocation::{
    AttemptName, COMMITTED, Invocation, MANIFEST_NAME, REPORTED, RESERVED_KEY,
};
use sidestep_core::execution::manifest::{Artifact, Manifest, Timing};
use sidestep_core::failure::FailureType;
use sidestep_core::plan::handoff::{Handoff, take_state};
use sidestep_core::uri::S3Uri;
use sidestep_engine::advance::handoff::HandoffOutcome;
use sidestep_engine::ports::functions::{FunctionError, Functions as _};
use sidestep_engine::ports::objects::{Created, ObjectStore, sha256_hex};

use super::forger::forge;
use super::function::{Computed, compute, meaning, outputs};
use super::lease;
use super::options::Bug;
use super::world::World;

/// The timeout of every function.
pub(crate) const FUNCTION_SECONDS: u32 = 900;

/// Accepts an invocation. It may be dropped or arrive twice.
pub(crate) async fn invoke(
    world: &World,
    invoke_arn: &str,
    payload: &Value,
    attempt: &AttemptName,
) -> Result<String, FunctionError> {
    let request_id = world.functions.invoke(invoke_arn, payload, attempt).await?;
    world.functions.take();
    lease::look_at_lease(world, payload).await;
    if world.bug == Some(Bug::ForgetsInvocations) && world.sim.chance(200) {
        return Ok(request_id);
    }
    let (dropped, twice) = {
        let state = world.sim.state();
        (state.faults.dropped, state.faults.invoked_twice)
    };
    if world.sim.chance(dropped) {
        world.note("invocation dropped");
        world.notes().harm(attempt);
        return Ok(request_id);
    }
    let times = if world.sim.chance(twice) { 2 } else { 1 };
    if times == 2 {
        world.note("invocation doubled");
    }
    for _ in 0..times {
        let event = Event {
            request_id: request_id.clone(),
            invoke_arn: invoke_arn.to_owned(),
            payload: payload.clone(),
            attempt: attempt.clone(),
        };
        let world = world.arc();
        let sim = world.sim.clone();
        sim.spawn(async move {
            if payload_has_token(&event.payload) {
                run(world, event).await;
            } else {
                run_without_token(&world, &event).await;
            }
        });
    }
    Ok(request_id)
}

/// What Lambda hands to a function.
struct Event {
    request_id: String,
    invoke_arn: String,
    payload: Value,
    /// Known here for the check at the end. The function does not see it.
    attempt: AttemptName,
}

impl Event {
    /// Returns Lambda's record of the invocation.
    fn record(&self, condition: &str, response: &Value) -> Value {
        json!({
            "requestContext": { "requestId": self.request_id, "functionArn": self.invoke_arn,
                "condition": condition },
            "requestPayload": self.payload,
            "responsePayload": response,
        })
    }

    /// Returns the number of the function.
    fn function(&self) -> usize {
        let name = self.invoke_arn.split(':').next().unwrap_or_default();
        name.trim_start_matches('F').parse().unwrap_or_default()
    }
}

fn payload_has_token(payload: &Value) -> bool {
    payload[RESERVED_KEY]["Token"].is_string()
}

/// Runs a function that does not know its attempt: only Lambda's record tells how it ended.
async fn run_without_token(world: &World, event: &Event) {
    let sim = &world.sim;
    sim.sleep(sim.draw(2..60)).await;
    sim.trace(|| format!("{} of {} runs", event.request_id, event.invoke_arn));
    world.notes().invocations += 1;
    let (dies, hangs) = {
        let state = sim.state();
        (state.faults.handler_dies, state.faults.handler_hangs)
    };
    let end =
        |condition: &str, response: Value| world.deliver(0, &event.record(condition, &response));
    let failed = |failure: FailureType| {
        let response = json!({ "errorType": failure.as_str(), "errorMessage": "so it ended" });
        end("RetriesExhausted", response);
    };
    if sim.chance(hangs) {
        world.note("handler hangs");
        world.notes().harm(&event.attempt);
        sim.sleep(u64::from(FUNCTION_SECONDS) * 1_000).await;
        return failed(FailureType::SandboxTimedout);
    }
    // Some are done before their invoker has recorded the request.
    sim.sleep(sim.draw(1..900)).await;
    if sim.chance(dies) {
        world.note("handler died before its result");
        world.notes().harm(&event.attempt);
        return failed(FailureType::RuntimeExitError);
    }
    let objects = world.objects.objects();
    let read = |uri: &S3Uri| match objects.get(uri) {
        Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        None => "nothing".to_owned(),
    };
    let meaning = meaning(&event.invoke_arn, &event.payload, &read);
    match compute(event.function(), &meaning, 1) {
        Ok(computed) => end("Success", json!({ "n": computed.n, "uri": "none" })),
        Err(failure) => {
            end(
                "RetriesExhausted",
                json!({ "errorType": failure.error_type, "errorMessage": "so it ended" }),
            );
        }
    }
}

async fn run(world: Arc<World>, event: Event) {
    let Event { payload, attempt, .. } = &event;
    let sim = &world.sim;
    sim.sleep(sim.draw(2..60)).await;
    let Ok(invocation) = serde_json::from_value::<Invocation>(payload[RESERVED_KEY].clone()) else {
        return sim.violation("an invocation that cannot be read");
    };
    let Invocation { step_name, attempt_count, output_prefix, .. } = &invocation;
    sim.trace(|| format!("{} {step_name}/{attempt_count} runs", invocation.execution_id));
    world.notes().invocations += 1;
    let (dies, hangs) = {
        let state = sim.state();
        (state.faults.handler_dies, state.faults.handler_hangs)
    };
    let end =
        |condition: &str, response: Value| world.deliver(0, &event.record(condition, &response));
    let failed = |error_type: &str| {
        end("RetriesExhausted", json!({ "errorType": error_type, "errorMessage": "so it ended" }));
    };
    if sim.chance(hangs) {
        world.note("handler hangs");
        world.notes().harm(attempt);
        sim.sleep(u64::from(FUNCTION_SECONDS) * 1_000).await;
        return failed(FailureType::SandboxTimedout.as_str());
    }
    if invocation.exactly_once_start && !lease::begins(&world, &invocation, attempt).await {
        let key = output_prefix.join(MANIFEST_NAME);
        return end("Success", json!({ RESERVED_KEY: { "Manifest": key, "Discarded": "so" } }));
    }
    lease::work(&world, &invocation).await;
    if sim.chance(dies) {
        world.note("handler died before its result");
        world.notes().harm(attempt);
        return failed(FailureType::RuntimeExitError.as_str());
    }
    let function = event.function();
    let objects = world.objects.objects();
    let read = |uri: &S3Uri| match objects.get(uri) {
        Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        None => "nothing".to_owned(),
    };
    let meaning = meaning(&event.invoke_arn, payload, &read);
    let computed = match compute(function, &meaning, *attempt_count) {
        Ok(computed) => computed,
        Err(failure) => return failed(&failure.error_type),
    };
    let uri = output_prefix.join("data");
    let outputs = outputs(&computed, &uri);
    let artifacts = write(&world, &uri, &computed).await.into_iter().collect();
    let timing = Timing { started_at_ms: sim.now_ms(), duration_ms: 5 };
    let manifest = Manifest::new(&invocation.token, outputs, artifacts, timing);
    sim.sleep(sim.draw(1..30)).await;
    if sim.chance(dies) {
        world.note("handler died before its manifest");
        world.notes().harm(attempt);
        return failed(FailureType::RuntimeExitError.as_str());
    }
    forge(&world, &invocation, &manifest);
    let Some(mark) = hand_off(&world, &invocation, payload, &manifest).await else {
        world.note("handler died handing off");
        world.notes().harm(attempt);
        return failed(FailureType::RuntimeExitError.as_str());
    };
    let marked = |mark: &str| end("Success", json!({ RESERVED_KEY: { mark: true } }));
    let is_enough = world.handoff == Handoff::Direct && manifest.artifacts.is_empty();
    if let Some(mark) = mark.filter(|_| is_enough) {
        return marked(mark);
    }
    let key = output_prefix.join(MANIFEST_NAME);
    let bytes = Bytes::from(serde_json::to_vec(&manifest).unwrap_or_default());
    // Of two runs of one attempt the first one's manifest counts.
    if let Ok(Created::New) = world.objects.create(&key, bytes, "application/json").await {
        let object = json!({ "key": key.key(), "size": 1, "eTag": "e", "sequencer": "0A" });
        world.deliver(
            0,
            &json!({ "Records": [{ "eventName": "ObjectCreated:Put",
            "s3": { "bucket": { "name": key.bucket() }, "object": object } }] }),
        );
    }
    if sim.chance(dies) {
        world.note("handler died after its manifest");
        world.notes().harm(attempt);
        return failed(FailureType::RuntimeExitError.as_str());
    }
    if let Some(mark) = mark {
        return marked(mark);
    }
    end("Success", json!({ RESERVED_KEY: { "Manifest": key } }));
}

/// Returns the mark that the step puts on a result that it committed or left to the planner.
/// Returns `None` if it died.
async fn hand_off(
    world: &World,
    invocation: &Invocation,
    payload: &Value,
    manifest: &Manifest,
) -> Option<Option<&'static str>> {
    if !world.handoff.is_direct() {
        return Some(None);
    }
    let carried = take_state(&mut payload[RESERVED_KEY].clone());
    Some(match world.hand_off(invocation, carried, manifest).await? {
        HandoffOutcome::Committed => Some(COMMITTED),
        HandoffOutcome::Reported => Some(REPORTED),
        HandoffOutcome::LeftToPlanner => None,
    })
}

async fn write(world: &World, uri: &S3Uri, computed: &Computed) -> Option<Artifact> {
    let content = computed.content.clone()?;
    let sha256 = sha256_hex(content.as_bytes());
    let bytes = content.len() as u64;
    world.objects.create(uri, Bytes::from(content), "text/plain").await.ok()?;
    Some(Artifact { uri: uri.clone(), bytes, sha256 })
}
