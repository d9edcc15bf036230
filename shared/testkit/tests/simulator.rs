//! The simulator: the seeds of every build, the same run for a seed, and planted mistakes.

use sidestep_core::plan::handoff::Handoff;
use sidestep_testkit::simulator::{Bug, Example, Fault, Options, Outcome, run, run_example};

fn tried(seed: u64) -> Outcome {
    let outcome = run(seed, &Options::default());
    let violations = outcome.violations.join("\n");
    assert_eq!(violations, "", "seed {seed}: `cargo run -p sidestep-testkit -- replay {seed}`");
    outcome
}

/// Seeds of one test, each some executions with faults at random.
const SEEDS: u64 = 1_000;

#[test]
fn every_promise_holds_under_random_faults() {
    let outcomes: Vec<_> = (0..SEEDS).map(tried).collect();
    let executions: u64 = outcomes.iter().map(|outcome| outcome.executions).sum();
    let faults: u64 = outcomes.iter().flat_map(|outcome| outcome.faults.values()).sum();
    assert!(executions > SEEDS && faults > SEEDS, "{executions} executions, {faults} faults");
}

/// Seeds that once broke a promise.
#[test]
fn regression_seeds_pass() {
    for seed in [3, 72, 158, 382, 648, 982, 1_233, 5_925, 19_679, 33_396] {
        tried(seed);
    }
}

#[test]
fn a_seed_gives_the_same_run_to_the_byte() {
    let options = Options { is_traced: true, ..Options::default() };
    for seed in [1, 43, 100] {
        let first = run(seed, &options);
        assert!(first.trace.len() > 1_000, "the trace says what happens");
        assert_eq!(first, run(seed, &options), "seed {seed}");
    }
}

#[test]
fn planted_mistakes_are_found() {
    for bug in [Bug::TwoCommitsOfOneRevision, Bug::ForgetsInvocations] {
        let options = Options { bug: Some(bug), ..Options::default() };
        let found = (0..50).find(|seed| !run(*seed, &options).violations.is_empty());
        assert!(found.is_some(), "{bug:?} is not noticed");
    }
}

/// A hostile neighbour reads every manifest before it is heard of, and forges reports from it. With
/// the token at hand, it would succeed.
#[test]
fn a_neighbour_that_reads_every_report_forges_no_result() {
    let hostile = |seed, bug| run(seed, &Options { is_hostile: true, bug, ..Options::default() });
    let mut forged = 0;
    for seed in 0..SEEDS / 4 {
        let outcome = hostile(seed, None);
        assert_eq!(outcome.violations, [] as [String; 0], "seed {seed}");
        forged += outcome.faults.get("reports forged").copied().unwrap_or_default();
    }
    assert!(forged > SEEDS / 4, "{forged}");
    let is_noticed = |seed| !hostile(seed, Some(Bug::LeavesTokens)).violations.is_empty();
    assert!((0..50).any(is_noticed), "a forged result is not noticed");
}

/// Every effect of some small pipelines, on every road: it fails, fails after success, happens
/// twice, or the planner dies before or after it.
#[test]
fn any_one_fault_at_any_effect_changes_no_result() {
    for handoff in [Handoff::Event, Handoff::Direct, Handoff::Both] {
        let options = Options { handoff: Some(handoff), ..Options::default() };
        for example in Example::ALL {
            any_one_fault(example, &options);
        }
    }
}

fn any_one_fault(example: Example, options: &Options) {
    let clean = run_example(example, None, options);
    assert_eq!(clean.violations, [] as [String; 0], "{example:?}");
    assert_eq!(clean.ends.len(), 2, "two executions");
    for position in 0..clean.effects {
        for fault in Fault::ALL {
            let faulty = run_example(example, Some((position, fault)), options);
            let place = format!("{example:?}, {options:?}, {fault:?} at effect {position}");
            assert_eq!(faulty.violations, [] as [String; 0], "{place}");
            // A function that dies fails its step, also where it dies handing off.
            if !faulty.faults.contains_key("handler died handing off") {
                assert_eq!(faulty.ends, clean.ends, "{place}");
            }
            assert!(!faulty.faults.is_empty(), "{place} was not reached");
        }
    }
}
