//! The pipelines that are measured: chains and fans of the no-op step.

use serde_json::{Value, json};
use sidestep_core::name::PipelineName;
use sidestep_engine::start::StartRequest;

fn of(name: &str) -> Value {
    json!({"Get": format!("Steps.{name}.OutputParameters['Value']")})
}

fn step(name: &str, arguments: &Value) -> Value {
    json!({"Name": name, "Type": "Lambda", "FunctionArn": "noop", "Arguments": arguments,
        "OutputParameters": [{"OutputName": "Value", "OutputType": "Integer"}]})
}

/// Returns one step, `width` that read it, and one that waits for all.
pub(crate) fn fan(width: usize, round: usize) -> StartRequest {
    let mut steps = vec![step("Root", &json!({"Value": round}))];
    let names: Vec<_> = (0..width).map(|n| format!("B{n}")).collect();
    steps.extend(
        names
            .iter()
            .enumerate()
            .map(|(n, name)| step(name, &json!({"Value": of("Root"), "Branch": n}))),
    );
    let mut join = step("Join", &json!({"Value": of("Root")}));
    join["DependsOn"] = json!(names);
    steps.push(join);
    super::request(&steps, false)
}

pub(crate) fn chain(pipeline: usize, steps: usize) -> StartRequest {
    let value = |n: usize| if n == 0 { json!(pipeline) } else { of(&format!("S{}", n - 1)) };
    let step = |n: usize| step(&format!("S{n}"), &json!({"Value": value(n), "Step": n}));
    let steps: Vec<Value> = (0..steps).map(step).collect();
    let mut request = super::request(&steps, false);
    request.pipeline_name = PipelineName::parse(&format!("chain-{pipeline}")).unwrap();
    request
}
