//! A neighbour that reads all that a step leaves behind, and reports in its name.

use serde_json::{Value, json};
use sidestep_core::event::report_event;
use sidestep_core::execution::invocation::{Invocation, RESERVED_KEY};
use sidestep_core::execution::manifest::Manifest;

use super::options::Bug;
use super::world::World;

/// Sends forged reports of an attempt into the planner's queue, which every step may send to, ahead
/// of its own.
pub(crate) fn forge(world: &World, invocation: &Invocation, manifest: &Manifest) {
    if !world.is_hostile {
        return;
    }
    world.note("reports forged");
    let outputs = [("n".to_owned(), json!(4_711)), ("uri".to_owned(), json!("none"))];
    let forged = Manifest { outputs: outputs.into_iter().collect(), ..manifest.clone() };
    let code = manifest.proof.clone().unwrap_or_default();
    let old = Manifest { version: 1, proof: None, token: Some(code.clone()), ..forged.clone() };
    let known = match world.bug {
        Some(Bug::LeavesTokens) => invocation.token.clone(),
        _ => code,
    };
    let mut shown = json!(invocation);
    shown["Token"] = known.into();
    let record = json!({
        "requestContext": { "requestId": "none", "functionArn": "F0:1", "condition": "Success" },
        "requestPayload": { RESERVED_KEY: shown },
        "responsePayload": Value::Object(forged.outputs.clone()),
    });
    for event in [
        report_event(invocation.attempt(), forged),
        report_event(invocation.attempt(), old),
        record,
    ] {
        world.deliver(0, &event);
    }
}
