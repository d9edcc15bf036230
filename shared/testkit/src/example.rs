//! Programs that a test starts as processes: the examples of its crate.
//!
//! A process that a test kills, or that is a function of its own, cannot be a test. It is an
//! example, because only those may use what tests use.

use std::env;
use std::path::PathBuf;
use std::process::Command;

/// Returns the program of the example `name` of `package`, beside the running test in the target
/// folder.
///
/// `cargo test` builds examples, but not if one test binary is asked for; then it is built here.
///
/// # Panics
///
/// If the example cannot be built.
pub fn example(package: &str, name: &str) -> PathBuf {
    let test = env::current_exe().expect("a running test has a path");
    // `target/PROFILE/deps/this-test` lies beside `target/PROFILE/examples`.
    let profile = test.ancestors().nth(2).expect("a test lies in a target folder");
    let program = profile.join("examples").join(name);
    if !program.exists() {
        let mut build = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build.args(["build", "--package", package, "--example", name]);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        let status = build.status().expect("cargo runs");
        assert!(status.success(), "could not build the example `{name}` of `{package}`");
    }
    program
}
