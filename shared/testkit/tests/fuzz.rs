//! The fuzz targets' functions on stable Rust, for a bounded number of inputs.
//!
//! The inputs are random, or fixtures that were tampered with.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use sidestep_testkit::fuzz;

/// Reads the files below a folder, in order, without very large ones.
fn files(folder: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let (mut folders, mut found): (Vec<PathBuf>, Vec<Vec<u8>>) = (vec![folder], Vec::new());
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).expect("the folder is there");
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                folders.push(path);
            } else if let Some(bytes) = fs::read(&path).ok().filter(|b| b.len() < 20_000) {
                found.push(bytes);
            }
        }
    }
    found
}

/// Calls a target with each seed, and with as many that were tampered with.
fn tamper(target: fn(&[u8]), seeds: &[Vec<u8>], cases: u32) {
    for seed in seeds {
        target(seed);
    }
    let change =
        (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0..40_usize);
    let config = ProptestConfig { failure_persistence: None, cases, ..Default::default() };
    proptest!(config, |(file in any::<prop::sample::Index>(), changes in prop::collection::vec(change, 1..6))| {
        let mut bytes = seeds[file.index(seeds.len())].clone();
        for (at, from, byte, length) in changes {
            let (at, from) = (at.index(bytes.len().max(1)), from.index(bytes.len().max(1)));
            let piece: Vec<u8> = bytes.iter().skip(from).take(length).copied().collect();
            let piece = if piece.is_empty() { vec![byte] } else { piece };
            let end = (at + piece.len() / 2).min(bytes.len());
            bytes.splice(at.min(end)..end, piece);
        }
        target(&bytes);
    });
}

#[test]
fn a_definition_that_was_tampered_with_is_read_or_refused() {
    let fixtures = files("tests/fixtures");
    assert!(fixtures.len() > 20, "{} fixtures", fixtures.len());
    tamper(fuzz::definition, &fixtures, 400);
}

#[test]
fn any_seed_that_was_tampered_with_is_read_or_refused() {
    for (name, target) in fuzz::TARGETS {
        let seeds = files(&format!("fuzz/seeds/{name}"));
        assert!(seeds.len() > 1, "{name} has {} seeds", seeds.len());
        tamper(target, &seeds, 1_000);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..Default::default() })]

    #[test]
    fn any_text_is_a_selector_or_none(text in ".{0,60}", near in "[a-z+.:0-9]{0,20}") {
        fuzz::selector(text.as_bytes());
        fuzz::selector(near.as_bytes());
    }

    #[test]
    fn any_text_is_an_expression_or_none(text in ".{0,60}", near in r"(Steps|Parameters|Execution)[.'\[\]A-Za-z0-9]{0,30}") {
        fuzz::expression(text.as_bytes());
        fuzz::expression(near.as_bytes());
    }

    #[test]
    fn any_bytes_are_an_event_or_none(bytes in prop::collection::vec(any::<u8>(), 0..100), key in ".{0,40}") {
        fuzz::event(&bytes);
        let record = serde_json::json!({ "Records": [{ "eventName": "ObjectCreated:Put",
            "s3": { "bucket": { "name": key }, "object": { "key": key, "size": key } } }] });
        fuzz::event(record.to_string().as_bytes());
    }
}
