//! The Python package `sidestep_step` repeats constants of the core, which must stay equal.
//!
//! A new constant is one more line in a table below.

use sidestep_core::execution::invocation::{MANIFEST_NAME, RESERVED_KEY};
use sidestep_core::execution::manifest;
use sidestep_core::failure::FailureType;
use sidestep_core::limits;
use sidestep_core::plan::lease;
use sidestep_core::uri::S3Uri;

/// Returns the text of a module of the package.
fn source(module: &str) -> String {
    let package =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../python/sidestep_step/src/sidestep_step");
    let path = format!("{package}/{module}.py");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the constants of a module that are assigned at the start of a line: name and value.
fn constants(source: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_constant =
        |name: &str| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    source
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .filter(move |(name, _)| is_constant(name))
}

/// Returns the value of one constant as Python spells it.
fn constant(module: &str, name: &str) -> String {
    let source = source(module);
    let found = constants(&source).find(|(found, _)| *found == name);
    found.unwrap_or_else(|| panic!("`{module}.py` has no constant `{name}`")).1.to_owned()
}

#[test]
fn limits_and_times_are_those_of_the_core() {
    let cases = [
        ("_handler", "OUTPUT_BYTES", limits::OUTPUT_BYTES as u64),
        ("_handler", "VERSION", manifest::VERSION.into()),
        ("_artifact", "ARTIFACTS", limits::ARTIFACTS as u64),
        ("_lease", "FIRST_RENEWAL_S", lease::FIRST_RENEWAL_MS / 1000),
        ("_lease", "RENEWAL_S", lease::RENEWAL_MS / 1000),
        ("_lease", "LEASE_MS", lease::RENEWED_LEASE_MS),
    ];
    for (module, name, expected) in cases {
        let text = constant(module, name).replace('_', "");
        let number = text.strip_suffix(".0").unwrap_or(&text).parse();
        assert_eq!(number, Ok(expected), "`{name}` of `{module}.py` is `{text}`");
    }
}

#[test]
fn names_are_those_of_the_core() {
    let renewals = lease::renewals(&S3Uri::new("bucket", "prefix/"));
    let cases = [
        ("_handler", "RESERVED_KEY", RESERVED_KEY),
        ("_artifact", "MANIFEST_NAME", MANIFEST_NAME),
        ("_artifact", "STARTED_NAME", lease::STARTED_NAME),
        ("_artifact", "LEASE", renewals.key().trim_start_matches("prefix/")),
    ];
    for (module, name, expected) in cases {
        assert_eq!(constant(module, name), format!("\"{expected}\""), "`{name}` of `{module}.py`");
    }
}

#[test]
fn failure_types_are_those_of_the_core() {
    let source = source("_error");
    let types: Vec<_> = constants(&source).map(|(_, value)| value.trim_matches('"')).collect();
    assert!(types.contains(&FailureType::OutputTooLarge.as_str()), "{types:?}");
    for name in types {
        assert!(FailureType::parse(name).is_some(), "the core has no failure type `{name}`");
    }
}
