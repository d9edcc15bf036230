//! Runs the simulator: `sweep --seeds N [--from S]` tries seeds, and `replay SEED` prints the trace
//! of one.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks")]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use sidestep_testkit::simulator::{Options, run};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default| {
        let position = arguments.iter().position(|argument| argument == name);
        let value = position.and_then(|position| arguments.get(position + 1));
        value.map_or(Some(default), |value| value.parse().ok())
    };
    match arguments.first().map(String::as_str) {
        Some("sweep") => match (number("--seeds", 10_000), number("--from", 0)) {
            (Some(seeds), Some(from)) => sweep(from, seeds),
            _ => usage(),
        },
        Some("replay") => match arguments.get(1).and_then(|seed| seed.parse().ok()) {
            Some(seed) => replay(seed),
            None => usage(),
        },
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: sidestep-testkit sweep [--seeds N] [--from SEED] | replay SEED");
    ExitCode::from(2)
}

/// Seeds whose violations are printed.
const SHOWN: u64 = 5;

fn sweep(from: u64, seeds: u64) -> ExitCode {
    let begun = Instant::now();
    let (mut failed, mut executions, mut invocations, mut longest_chain) = (0, 0, 0, 0);
    let mut faults: BTreeMap<&str, u64> = BTreeMap::new();
    let mut tried = 0;
    for seed in from..from.saturating_add(seeds) {
        tried += 1;
        let outcome = run(seed, &Options::default());
        executions += outcome.executions;
        invocations += outcome.invocations;
        longest_chain = longest_chain.max(outcome.longest_chain);
        for (name, count) in outcome.faults {
            *faults.entry(name).or_default() += count;
        }
        if outcome.violations.is_empty() {
            continue;
        }
        failed += 1;
        println!("seed {seed}: {}", outcome.violations.join("\n  "));
        if failed == 1 {
            println!("{}", run(seed, &Options { is_traced: true, ..Options::default() }).trace);
        }
        if failed >= SHOWN {
            break;
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let injected: u64 = faults.values().sum();
    for (name, count) in &faults {
        println!("{count:>10} {name}");
    }
    println!(
        "longest chain of planner visits: {longest_chain}; Lambda stops at 16 unless told otherwise"
    );
    println!(
        "{executions} executions, {invocations} invocations, {injected} faults in {seconds:.1} s: {:.0} executions and {:.0} faults per second",
        rate(executions, seconds),
        rate(injected, seconds)
    );
    println!("{} passed, {failed} failed", tried - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn rate(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}

fn replay(seed: u64) -> ExitCode {
    let outcome = run(seed, &Options { is_traced: true, ..Options::default() });
    print!("{}", outcome.trace);
    for violation in &outcome.violations {
        println!("{violation}");
    }
    if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
