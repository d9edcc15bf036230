//! The command and a project's functions ask for the same features of every shared crate.
//!
//! Two calls of cargo build them. If they ask for different features of a crate, that crate and
//! all above it are compiled twice, and the SDK of S3 alone takes a minute.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Returns a line for each crate that `package` depends on by these edges.
fn tree(package: &str, edges: &str, arguments: &[&str]) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--package", package, "--edges", edges, "--no-dedupe"]);
    let output = cargo.args(["--prefix", "none"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the features by crate and version, of all that `package` depends on.
fn features(package: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut crates = BTreeMap::<_, BTreeSet<_>>::new();
    for line in tree(package, "normal,build", &["--format", "{p}|{f}"]).lines() {
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

#[test]
fn the_notice_names_every_crate_of_a_release() {
    let notice = include_str!("../../NOTICE");
    let (_, list) = notice.split_once("writes this list.\n\n").expect("a list");
    let named: BTreeSet<_> = list.lines().collect();
    let mut used = BTreeSet::new();
    for program in ["sidestep-cli", "sidestep-planner", "sidestep-trigger"] {
        let lines = tree(program, "normal", &["--target", "all", "--format", "{p}|{l}"]);
        for line in lines.lines() {
            let (package, licence) = line.split_once('|').expect("a licence");
            let name = package.split(' ').next().expect("a name");
            if !package.contains("(/") {
                used.insert(format!("{name}: {}", licence.replace('/', " OR ")));
            }
        }
    }
    let missing: Vec<_> = used.iter().filter(|line| !named.contains(line.as_str())).collect();
    let gone: Vec<_> = named.iter().filter(|line| !used.contains(**line)).collect();
    assert!(missing.is_empty() && gone.is_empty(), "run `infra/notice`: {missing:?}, {gone:?}");
}
