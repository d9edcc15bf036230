//! The limits of a definition, from both sides, and a check that no limit is without a test.

use std::fmt::Write as _;

use serde_json::{Value, json};
use sidestep_core::limits;
use sidestep_core::parse::problem::Code;
use sidestep_core::parse::{Format, parse};

/// Limits whose test is elsewhere, with its name. The suite that every implementation of a port
/// passes holds a limit that the engine hands to the port.
const ELSEWHERE: [(&str, &str); 21] = [
    ("TRACED_PLACES", "a_trace_says_when_it_lacks_something_and_reads_back_as_it_was"),
    ("WITNESSES", "a_result_that_cannot_be_checked_is_not_cached_and_says_why"),
    ("DEFINITION_NODES", "the_count_of_values_is_exact_at_the_limit"),
    ("PROBLEMS", "thousands_of_mistakes_are_listed_up_to_the_bound"),
    ("STEPS", "a_chain_of_as_many_steps_as_are_allowed_is_ordered_from_its_end"),
    ("PARAMETER_VALUE_CHARS", "a_value_given_at_start_may_be_as_long_as_the_limit"),
    ("FAILURE_REASON_CHARS", "a_failure_reason_is_cut_at_its_limit"),
    ("PAYLOAD_BYTES", "an_invocation_takes_as_many_bytes_as_lambda_does"),
    ("INLINE_OUTPUT_BYTES", "outputs_stay_in_the_commit_up_to_their_limit"),
    ("OUTPUT_BYTES", "a_result_at_a_limit_counts_and_one_above_is_refused"),
    ("OUTPUT_DEPTH", "a_result_at_a_limit_counts_and_one_above_is_refused"),
    ("ARTIFACTS", "a_result_at_a_limit_counts_and_one_above_is_refused"),
    ("ARTIFACT_LIST_BYTES", "a_result_at_a_limit_counts_and_one_above_is_refused"),
    ("MANIFEST_BYTES", "a_manifest_at_every_other_limit_is_read"),
    ("COMMIT_BYTES", "two_results_that_do_not_fit_in_one_commit_are_committed_one_after_the_other"),
    ("JSON_DOCUMENT_BYTES", "get_refuses_what_is_too_large"),
    ("LISTED_OBJECTS", "a_listing_is_in_order_and_limited"),
    ("LEASE_ATTEMPTS", "a_lost_attempt_begins_again_and_the_old_ones_report_no_longer_counts"),
    ("PLACES", "a_step_may_name_as_many_places_as_the_limit"),
    ("SELECTORS", "a_request_may_name_as_many_selectors_as_the_limit"),
    ("SOURCE_CANDIDATES", "executions_are_listed_newest_first"),
];

/// A limit's name, its value, and a definition that is `size` large in what it limits.
type Case = (&'static str, u64, fn(u64) -> Value);

fn usize_of(size: u64) -> usize {
    size.try_into().unwrap()
}

fn text(chars: u64) -> String {
    "x".repeat(usize_of(chars))
}

/// Returns a definition with one Lambda step that has `extra` keys.
fn step(extra: Value) -> Value {
    let mut step = json!({"Name": "A", "Type": "Lambda", "FunctionArn": "f", "Arguments": {}});
    let Value::Object(extra) = extra else { panic!("keys are an object") };
    step.as_object_mut().unwrap().extend(extra);
    json!({ "Steps": [step] })
}

fn parameter(extra: Value) -> Value {
    let mut definition = step(json!({"Arguments": {"P": {"Get": "Parameters.P"}}}));
    let mut parameter = json!({"Name": "P", "Type": "String"});
    let Value::Object(extra) = extra else { panic!("keys are an object") };
    parameter.as_object_mut().unwrap().extend(extra);
    definition["Parameters"] = json!([parameter]);
    definition
}

fn retried(key: &str, value: u64) -> Value {
    let policy = json!({"ExceptionType": ["Step.SERVICE_FAULT"], key: value});
    step(json!({ "RetryPolicies": [policy] }))
}

/// Returns a condition within so many others, itself included.
fn conditions(depth: u64) -> Value {
    let equal = json!({"Type": "Equals", "LeftValue": 1, "RightValue": 1});
    let nested =
        (1..depth).fold(equal, |inner, _| json!({"Type": "Not", "Condition": inner.clone()}));
    step(json!({ "When": { "Conditions": [nested] } }))
}

const CASES: [Case; 19] = [
    ("DEFINITION_BYTES", limits::DEFINITION_BYTES as u64, |bytes| {
        let with = |chars| step(json!({"Description": "d", "Arguments": {"x": text(chars)}}));
        with(bytes - with(0).to_string().len() as u64)
    }),
    ("DEFINITION_DEPTH", limits::DEFINITION_DEPTH as u64, |levels| {
        // The document, `Steps`, the step and `Arguments` are the other four.
        let inner = (4..levels).fold(json!(1), |inner, _| json!([inner]));
        step(json!({ "Arguments": { "x": inner } }))
    }),
    ("KEY_BYTES", limits::KEY_BYTES as u64, |bytes| {
        step(json!({ "Arguments": { text(bytes): 1 } }))
    }),
    ("PARAMETERS", limits::PARAMETERS as u64, |count| {
        let parameters =
            (0..count).map(|number| json!({"Name": format!("P{number}"), "Type": "String"}));
        let mut definition = step(json!({}));
        definition["Parameters"] = parameters.collect();
        definition
    }),
    ("PARAMETER_DEFAULT_CHARS", limits::PARAMETER_DEFAULT_CHARS as u64, |chars| {
        parameter(json!({ "DefaultValue": text(chars) }))
    }),
    ("ENUM_VALUES", limits::ENUM_VALUES as u64, |count| {
        let values: Vec<_> = (0..count).map(|number| number.to_string()).collect();
        parameter(json!({ "EnumValues": values }))
    }),
    ("CONDITION_DEPTH", limits::CONDITION_DEPTH as u64, conditions),
    ("OUTPUT_PARAMETERS", limits::OUTPUT_PARAMETERS as u64, |count| {
        let output = |number| json!({"OutputName": format!("o{number}"), "OutputType": "String"});
        step(json!({ "OutputParameters": (0..count).map(output).collect::<Vec<_>>() }))
    }),
    ("OUTPUT_NAME_CHARS", limits::OUTPUT_NAME_CHARS as u64, |chars| {
        let output = json!({"OutputName": text(chars), "OutputType": "String"});
        step(json!({ "OutputParameters": [output] }))
    }),
    ("RETRY_MAX_ATTEMPTS", limits::RETRY_MAX_ATTEMPTS, |most| retried("MaxAttempts", most)),
    ("RETRY_INTERVAL_SECONDS", limits::RETRY_INTERVAL_SECONDS, |most| {
        retried("IntervalSeconds", most)
    }),
    ("RETRY_EXPIRE_AFTER_MINUTES", limits::RETRY_EXPIRE_AFTER_MINUTES, |most| {
        retried("ExpireAfterMin", most)
    }),
    ("DISPLAY_NAME_CHARS", limits::DISPLAY_NAME_CHARS as u64, |chars| {
        step(json!({ "DisplayName": text(chars) }))
    }),
    ("DESCRIPTION_CHARS", limits::DESCRIPTION_CHARS as u64, |chars| {
        step(json!({ "Description": text(chars) }))
    }),
    ("TAGS", limits::TAGS as u64, |count| {
        let tags: Vec<_> = (0..count).map(|number| format!("t{number}")).collect();
        step(json!({ "Tags": tags }))
    }),
    ("TAG_CHARS", limits::TAG_CHARS as u64, |chars| step(json!({ "Tags": [text(chars)] }))),
    ("CODE_VERSION_CHARS", limits::CODE_VERSION_CHARS as u64, |chars| {
        step(json!({ "CodeVersion": text(chars) }))
    }),
    ("READS", limits::READS as u64, |count| {
        let reads: Vec<_> = (0..count).map(|number| format!("s3://bucket/{number}")).collect();
        step(json!({ "Reads": reads }))
    }),
    ("TIMEOUT_SECONDS", limits::TIMEOUT_SECONDS, |seconds| {
        step(json!({ "TimeoutSeconds": seconds }))
    }),
];

#[test]
fn a_definition_at_a_limit_is_read_and_one_above_is_refused_with_the_limit() {
    for (name, limit, definition) in CASES {
        for format in [Format::Json, Format::Yaml] {
            let at = definition(limit).to_string();
            let parsed = parse(at.as_bytes(), format);
            assert!(parsed.is_ok(), "{name}, {format:?}: {:?}", parsed.err());
            let above = definition(limit + 1).to_string();
            let problems = parse(above.as_bytes(), format).expect_err(name);
            let refusal = problems.iter().find(|problem| problem.code != Code::NoEffect);
            let text = refusal.map(ToString::to_string).unwrap_or_default();
            assert!(text.contains(&limit.to_string()), "{name}, {format:?}: {problems:?}");
        }
    }
}

#[test]
fn every_limit_has_a_test() {
    let limits = include_str!("../src/limits.rs");
    let names = limits
        .lines()
        .filter_map(|line| line.strip_prefix("pub const "))
        .filter_map(|line| Some(line.split_once(':')?.0));
    let mut forgotten = String::new();
    let mut count = 0;
    for name in names.filter(|name| !name.contains("fn ")) {
        count += 1;
        let is_here = CASES.iter().any(|case| case.0 == name);
        if !is_here && !ELSEWHERE.iter().any(|(limit, _)| *limit == name) {
            let _ = writeln!(forgotten, "{name}");
        }
    }
    assert!(forgotten.is_empty(), "limits without a test:\n{forgotten}");
    assert_eq!(count, CASES.len() + ELSEWHERE.len());
}
