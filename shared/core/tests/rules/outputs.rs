//! Declared outputs that are absent or null, on every road that a result can take.

use serde_json::{Value, json};
use sidestep_core::execution::commit::Failure;
use sidestep_core::execution::{ExecutionStatus, Phase};

use super::world::World;

/// A step `A` that declares `x` and `y`.
const A: &str = "  - { Name: A, Type: Lambda, FunctionArn: f, Arguments: {}, OutputParameters: \
                 [{ OutputName: x, OutputType: Integer }, { OutputName: y, OutputType: String }] }\n";
const X: &str = "{ Get: \"Steps.A.OutputParameters['x']\" }";

/// Returns readers of `x`, by what they are called in a message.
fn reader(kind: &str) -> String {
    let condition = format!("Conditions: [{{ Type: Equals, LeftValue: {X}, RightValue: 1 }}]");
    let inner = format!("{{ Name: R, Type: Lambda, FunctionArn: f, Arguments: {{ n: {X} }} }}");
    match kind {
        "nothing" => String::new(),
        "arguments" => {
            format!("  - {{ Name: R, Type: Lambda, FunctionArn: f, Arguments: {{ n: {X} }} }}\n")
        }
        "text" => format!(
            "  - {{ Name: R, Type: Lambda, FunctionArn: f, Arguments: {{ n: {{ Std:Join: {{ Values: \
             [a, {X}] }} }} }} }}\n"
        ),
        "all done" => format!(
            "  - {{ Name: R, Type: Lambda, FunctionArn: f, Arguments: {{ n: {X} }}, TriggerRule: \
             AllDone }}\n"
        ),
        "condition" => {
            format!("  - {{ Name: R, Type: Condition, Arguments: {{ {condition} }} }}\n")
        }
        "when" => format!(
            "  - {{ Name: R, Type: Lambda, FunctionArn: f, Arguments: {{}}, When: {{ {condition} }} }}\n"
        ),
        "message" => format!(
            "  - {{ Name: R, Type: Fail, Arguments: {{ ErrorMessage: {{ Std:Join: {{ Values: [{X}] }} \
             }} }} }}\n"
        ),
        // None of these is certain to read.
        "branch" => format!(
            "  - {{ Name: C, Type: Condition, Arguments: {{ Conditions: [{{ Type: Equals, LeftValue: \
             {{ Get: \"Steps.A.OutputParameters['y']\" }}, RightValue: go }}], IfSteps: [{inner}] }} }}\n"
        ),
        "behind when" => format!(
            "  - {{ Name: R, Type: Lambda, FunctionArn: f, Arguments: {{ n: {X} }}, When: {{ \
             Conditions: [{{ Type: Equals, LeftValue: {{ Get: \"Steps.A.OutputParameters['y']\" }}, \
             RightValue: go }}] }} }}\n"
        ),
        other => panic!("no reader `{other}`"),
    }
}

fn failure(world: &World, name: &str) -> Failure {
    let step = world.index(name);
    world.commits.iter().rev().find_map(|commit| commit.failure(step)).expect("failed").clone()
}

fn after(kind: &str, outputs: Value) -> World {
    let mut world = World::new(&format!("{A}{}", reader(kind)));
    world.advance(&[]);
    world.succeed("A", outputs);
    world
}

#[test]
fn a_declared_output_may_be_absent_only_if_no_step_is_certain_to_read_it() {
    for kind in ["arguments", "text", "all done", "condition", "when", "message"] {
        for outputs in [json!({}), json!({ "y": "no" }), json!({ "X": 1, "y": "no" })] {
            let world = after(kind, outputs.clone());
            let found = failure(&world, "A");
            assert_eq!(found.error_type, "Sidestep.OutputMissing", "{kind} {outputs}");
            let text = "output `x` is declared and was not returned, and step `R` reads it";
            assert_eq!(found.message, text, "{kind}");
            assert_eq!(world.cache.len(), 0, "{kind}: nothing is published");
        }
        let world = after(kind, json!({ "x": 1 }));
        assert!(world.execution.step(world.index("A")).phase.has_succeeded(), "{kind}");
    }
    for (kind, outputs) in [
        ("nothing", json!({})),
        ("branch", json!({ "y": "no" })),
        ("behind when", json!({ "y": "no" })),
    ] {
        let world = after(kind, outputs);
        assert_eq!(world.execution.status, ExecutionStatus::Succeeded, "{kind}");
    }
}

#[test]
fn a_reader_that_was_not_certain_to_read_fails_when_it_does() {
    for kind in ["branch", "behind when"] {
        let world = after(kind, json!({ "y": "go" }));
        let found = failure(&world, "R");
        assert_eq!(found.error_type, "Sidestep.Arguments", "{kind}");
        assert!(found.message.contains("step `A` did not return it"), "{kind}: {}", found.message);
        assert_eq!(world.execution.status, ExecutionStatus::Failed, "{kind}");
    }
}

#[test]
fn a_declared_output_is_never_null() {
    for kind in ["nothing", "arguments", "branch"] {
        let world = after(kind, json!({ "x": null, "y": "no" }));
        assert_eq!(failure(&world, "A").error_type, "Sidestep.OutputType", "{kind}");
        assert_eq!(world.execution.status, ExecutionStatus::Failed, "{kind}");
    }
}

#[test]
fn a_cached_result_that_lacks_an_output_is_no_hit() {
    let mut first = World::new(A);
    first.advance(&[]);
    first.succeed("A", json!({ "y": "no" }));
    assert_eq!(first.execution.status, ExecutionStatus::Succeeded, "no step reads `x`");
    let mut again = first.again(A, "sha256:code");
    again.advance(&[]);
    assert_eq!(again.decided("A").0, "hit");

    let mut reads = first.again(&format!("{A}{}", reader("arguments")), "sha256:code");
    reads.advance(&[]);
    let (decision, reason) = reads.decided("A");
    assert_eq!(decision, "run");
    let text = "the cached result does not fit: output `x` is declared and was not returned, and step `R` reads it";
    assert_eq!(reason, text);
    reads.succeed("A", json!({ "x": 2 }));
    assert_eq!(reads.execution.step(reads.index("R")).phase, Phase::Executing);
}
