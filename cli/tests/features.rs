//! The command and a project's functions ask for the same features of every shared crate.
//!
//! Two calls of cargo build them. If they ask for different features of a crate, that crate and
//! all above it are compiled twice, and the SDK of S3 alone takes a minute.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Returns the features by crate and version, of all that `package` depends on.
fn features(package: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--package", package, "--edges", "normal,build", "--no-dedupe"]);
    cargo.args(["--prefix", "none", "--format", "{p}|{f}"]);
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut crates = BTreeMap::<_, BTreeSet<_>>::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let (name, features) = line.split_once('|').unwrap();
        crates.entry(name.to_owned()).or_default().insert(features.to_owned());
    }
    crates
}

#[test]
fn the_command_and_a_function_share_every_crate_below_the_sdk_and_the_engine() {
    let (command, function) = (features("sidestep-cli"), features("flights-ingest"));
    let mut below = features("aws-sdk-s3");
    below.append(&mut features("sidestep-engine"));
    let is_shared = |name: &&String| command.contains_key(*name) && function.contains_key(*name);
    let shared: Vec<_> = below.keys().filter(is_shared).collect();
    assert!(shared.len() > 50, "the SDK has many dependencies, not {}", shared.len());
    for name in shared {
        // A crate may be there twice, for build scripts and for programs: `semver` is.
        let (built, asked) = (&command[name], &function[name]);
        assert!(asked.is_subset(built), "features of `{name}`: {asked:?}, built with {built:?}");
    }
}
