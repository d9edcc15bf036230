//! A step's failure as a value for steps that start after it, and queues that parameters name.

use serde_json::json;
use sidestep_core::parse::{Format, parse};

use super::world::World;

const A: &str = "  - { Name: A, Type: Lambda, FunctionArn: f, Arguments: {} }\n";

/// Returns a step that reads why `A` failed, under a trigger rule.
fn reader(rule: &str) -> String {
    format!(
        "  - {{ Name: R, Type: Lambda, FunctionArn: f, TriggerRule: {rule}, Arguments: {{ why: {{ Get: \
         Steps.A.FailureReason }} }} }}\n"
    )
}

/// Returns the codes of a definition's errors.
fn errors(text: &str) -> Vec<String> {
    let text = format!("Version: '2020-12-01'\n{text}");
    match parse(text.as_bytes(), Format::Yaml) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(|problem| format!("{:?}", problem.code)).collect(),
    }
}

#[test]
fn the_reason_of_a_failure_is_a_value_and_null_without_one() {
    for rule in ["AllDone", "NoneFailed", "AnySucceeded"] {
        let mut world = World::new(&format!("{A}{}", reader(rule)));
        world.advance(&[]);
        world.succeed("A", json!({}));
        assert_eq!(world.payload("R")["why"], json!(null), "{rule}");
    }
    let mut world = World::new(&format!("{A}{}", reader("AllDone")));
    world.advance(&[]);
    world.fail("A");
    assert_eq!(world.payload("R")["why"], "broke");
}

#[test]
fn a_failure_is_read_only_where_a_step_may_start_after_it() {
    for (rule, expected) in [
        ("AllDone", &[][..]),
        ("NoneFailed", &[]),
        ("AnySucceeded", &[]),
        ("AllSucceeded", &["MisplacedReference"]),
    ] {
        assert_eq!(errors(&format!("Steps:\n{A}{}", reader(rule))), expected, "{rule}");
    }
    let condition = "  - { Name: C, Type: Condition, Arguments: { Conditions: [] } }\n";
    let of_condition = reader("AllDone").replace("Steps.A", "Steps.C");
    let found = errors(&format!("Steps:\n{condition}{of_condition}"));
    assert!(found.contains(&"UnknownProperty".to_owned()), "{found:?}");
}

#[test]
fn a_queue_is_a_url_or_a_string_parameter_and_never_fifo() {
    let head = "Parameters: [{ Name: Q, DefaultValue: 'https://sqs/1/q' }, { Name: N, Type: Integer, \
                DefaultValue: 1 }]\nSteps:\n";
    for (url, expected) in [
        ("https://sqs.us-east-1.amazonaws.com/123456789012/q", &[][..]),
        ("{ Get: Parameters.Q }", &[]),
        ("{ Get: Parameters.N }", &["TypeMismatch"]),
        ("{ Get: Parameters.X }", &["UnknownParameter"]),
        ("{ Get: Execution.PipelineName }", &["WrongType"]),
        ("{ 'Std:Join': { Values: [a] } }", &["WrongType"]),
        ("https://sqs.us-east-1.amazonaws.com/123456789012/q.fifo", &["InvalidQueueUrl"]),
        ("sqs", &["InvalidQueueUrl"]),
    ] {
        let step =
            format!("  - {{ Name: A, Type: Callback, SqsQueueUrl: {url}, Arguments: {{}} }}\n");
        let codes = errors(&format!("{head}{step}"));
        let found: Vec<_> = codes.into_iter().filter(|code| code != "UnusedParameter").collect();
        assert_eq!(found, expected, "{url}");
    }
}
