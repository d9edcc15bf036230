//! Kills `sidestep` and its functions at random moments, for hours if need be.
//!
//! `cargo run -p sidestep-cli --example kill -- --rounds N [--seed S]`
//!
//! The command has to be built in the same profile: `cargo build -p sidestep-cli`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for by hand")]

#[allow(dead_code, reason = "the tests use all of it")]
#[path = "../tests/kill/rounds.rs"]
mod rounds;

use rounds::{Subject, Way};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |name: &str, default: u64| {
        let position = arguments.iter().position(|argument| argument == name);
        position.map_or(default, |position| arguments[position + 1].parse().unwrap())
    };
    let (rounds, from) = (number("--rounds", 10), number("--seed", 0));
    // `target/PROFILE/examples/kill`
    let own_program = std::env::current_exe().unwrap();
    let program = own_program.ancestors().nth(2).unwrap().join("sidestep");
    let fan_out = Subject::fan_out(&program);
    let flights = Subject::flights(&program);
    let tries = [
        ("fan-out", &fan_out, Way::Run),
        ("fan-out", &fan_out, Way::Up),
        ("fan-out", &fan_out, Way::Functions),
        ("flights", &flights, Way::Run),
        ("flights", &flights, Way::Up),
    ];
    let mut sums = [(0, 0, 0); 5];
    for seed in from..from + rounds {
        for (position, (_, subject, way)) in tries.iter().enumerate() {
            let name = tries[position].0;
            println!("seed {seed}: {name} {way:?}");
            let tried = subject.round(*way, &mut fastrand::Rng::with_seed(seed));
            println!("seed {seed}: {name} {way:?}: {tried:?}");
            let sum = &mut sums[position];
            *sum = (sum.0 + tried.kills, sum.1 + tried.at_stake, sum.2 + tried.executions);
        }
    }
    for ((name, _, way), (kills, at_stake, executions)) in tries.iter().zip(sums) {
        println!(
            "{name} {way:?}: {rounds} rounds, {executions} executions, {kills} kills, {at_stake} finished steps at stake, all right"
        );
    }
}
