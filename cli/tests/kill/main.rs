//! A few rounds of the program `cargo run -p sidestep-cli --example kill`.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "tests may")]

#[allow(dead_code, reason = "the program uses all of it")]
mod rounds;

use std::path::Path;

use rounds::{Subject, Tried, Way};

/// Tries rounds with seeds until `enough`, which a few are; more only on a machine that is too busy
/// to be hit at a good moment.
fn rounds(subject: &Subject, way: Way, enough: impl Fn(Tried) -> bool) {
    let mut sum = Tried::default();
    for seed in 0..20 {
        let tried = subject.round(way, &mut fastrand::Rng::with_seed(seed));
        println!("{way:?} {seed}: {tried:?}");
        sum.kills += tried.kills;
        sum.at_stake += tried.at_stake;
        if seed >= 1 && enough(sum) {
            return;
        }
    }
    panic!("nothing was at stake in 20 rounds: {sum:?}");
}

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_sidestep"))
}

#[test]
fn a_run_that_is_killed_at_any_moment_goes_on_and_no_finished_step_runs_twice() {
    let subject = Subject::fan_out(program());
    rounds(&subject, Way::Run, |sum| sum.at_stake > 0);
    rounds(&subject, Way::Up, |sum| sum.at_stake > 0);
}

#[test]
fn functions_that_are_killed_at_any_moment_are_tried_again() {
    let subject = Subject::fan_out(program());
    rounds(&subject, Way::Functions, |sum| sum.kills > 0);
}
