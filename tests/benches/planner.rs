//! Measures the planner alone: `cargo bench -p sidestep-tests --bench planner`.
//!
//! In memory: whole executions of 10 to 1,000 steps, decisions per second.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "this is a benchmark")]

#[allow(dead_code, reason = "each benchmark uses a part of it")]
mod bench;

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use sidestep_core::definition::Pipeline;
use sidestep_core::execution::Execution;
use sidestep_core::execution::invocation::{Invocation, RESERVED_KEY};
use sidestep_core::execution::proof::{Proof, Token};
use sidestep_core::execution::start::{Function, Start};
use sidestep_core::parse::{Format, parse};
use sidestep_core::plan::facts::{Facts, Need};
use sidestep_core::plan::{Effect, plan};
use sidestep_core::plan::{Event, Report, ReportedResult};

use bench::{median, print, table};
use sidestep_testkit::fixture;

/// Steps in layers of ten, each of which reads two of the layer before.
fn definition(steps: usize) -> Pipeline {
    let of = |n: usize| json!({"Get": format!("Steps.S{n}.OutputParameters['Value']")});
    let step = |n: usize| {
        let arguments = match n.checked_sub(10) {
            None => json!({"Value": n}),
            Some(above) => {
                json!({"Value": of(above), "Beside": of(above / 10 * 10 + (n + 1) % 10), "Step": n})
            }
        };
        json!({"Name": format!("S{n}"), "Type": "Lambda", "FunctionArn": "noop", "Arguments": arguments,
            "OutputParameters": [{"OutputName": "Value", "OutputType": "Integer"}]})
    };
    let list: Vec<Value> = (0..steps).map(step).collect();
    let text = json!({"Version": "2020-12-01", "CacheConfig": {"Enabled": true}, "Steps": list});
    parse(text.to_string().as_bytes(), Format::Json).unwrap().pipeline
}

fn start() -> Start {
    let function = Function {
        invoke_arn: "noop".to_owned(),
        code_digest: "sha256:noop".to_owned(),
        memory_mb: 128,
        timeout_seconds: 60,
        has_sdk: false,
        reads: Vec::new(),
        places: Vec::new(),
        is_plain: false,
    };
    let functions = [("noop".parse().expect("legal"), function)].into();
    Start { functions, ..fixture::start("bench", 7, 1) }
}

/// Runs an execution whose functions answer at once; returns the time that the planner took.
fn execution(pipeline: &Pipeline) -> Duration {
    let start = start();
    let mut facts = Facts { now_ms: 1, ..Facts::default() };
    let mut state = Execution::new(pipeline.steps.len());
    let (mut events, mut waiting) = (Vec::new(), Vec::new());
    let mut took = Duration::ZERO;
    while !state.status.is_over() {
        let began = Instant::now();
        let next = plan(pipeline, &start, &state, &events, &facts);
        took += began.elapsed();
        if !next.needs.is_empty() {
            for need in next.needs {
                match need {
                    Need::CacheEntry(key) => facts.cache.insert(key, None),
                    other => panic!("{other:?} is not in memory"),
                };
            }
            continue;
        }
        let began = Instant::now();
        state.apply(&next.commit).unwrap();
        took += began.elapsed();
        facts.commits.insert(next.commit.revision, next.commit);
        waiting.extend(next.effects);
        events = waiting.pop().map(|effect| answer(pipeline, &effect)).into_iter().collect();
    }
    took
}

fn answer(pipeline: &Pipeline, effect: &Effect) -> Event {
    let Effect::InvokeStep { step, attempt_count, payload, .. } = effect else {
        panic!("only functions are invoked here")
    };
    let invocation: Invocation = serde_json::from_value(payload[RESERVED_KEY].clone()).unwrap();
    assert_eq!(pipeline.find(&invocation.step_name), Some(*step));
    let outputs: Map<String, Value> =
        [("Value".to_owned(), payload["Value"].clone())].into_iter().collect();
    let result = ReportedResult::Succeeded {
        outputs,
        artifacts: Vec::new(),
        duration_ms: Some(1),
        manifest: None,
    };
    Event::Reported(Report {
        step: invocation.step_name,
        attempt_count: *attempt_count,
        proof: Proof::Token(Token(invocation.token)),
        result,
    })
}

/// Executions of which `callgrind` counts the instructions.
const COUNTED: &str = "--executions";

/// Counts the instructions of a decision, which depend on no clock: those of two executions less
/// those of one.
fn instructions(steps: usize) -> Option<f64> {
    let of = |executions: u32| {
        let program = std::env::current_exe().ok()?;
        let mut valgrind = std::process::Command::new("valgrind");
        valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
        let output = valgrind.args([COUNTED, &executions.to_string(), &steps.to_string()]).output();
        let said = String::from_utf8(output.ok()?.stderr).ok()?;
        let count = said.lines().find_map(|line| line.split_once("Collected : "))?.1;
        count.trim().parse::<f64>().ok()
    };
    Some((of(2)? - of(1)?) / f64::from(u32::try_from(steps).ok()?))
}

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    if let [_, counted, executions, steps] = arguments.as_slice()
        && counted == COUNTED
    {
        let pipeline = definition(steps.parse().unwrap());
        for _ in 0..executions.parse().unwrap() {
            execution(&pipeline);
        }
        return;
    }
    for steps in [10, 100, 1_000] {
        let pipeline = definition(steps);
        let times: Vec<_> = (0..5).map(|_| execution(&pipeline)).collect();
        let ms = median(times);
        print("planner alone", steps, "whole execution, median of 5", ms, "ms");
        let decisions = f64::from(u32::try_from(steps).unwrap());
        print("planner alone", steps, "time per decision", ms * 1e3 / decisions, "us");
        print("planner alone", steps, "decisions per second", decisions / ms * 1e3, "1/s");
    }
    for steps in [10, 100, 1_000] {
        let Some(count) = instructions(steps) else {
            println!("instructions are not counted: `valgrind` does not run here");
            break;
        };
        print("planner alone", steps, "instructions per decision, callgrind", count, "");
    }
    table();
}
