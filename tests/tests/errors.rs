//! `docs/errors/` has a page for every error type that a step can fail with, and for nothing else.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "tests may")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What an error type begins with, and an output of another kind does not.
const FAMILIES: [&str; 5] = ["Sidestep", "Step", "Runtime", "Function", "Sandbox"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The program's files: not tests, benches or examples.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() && !["tests", "benches", "examples", "target"].contains(&name.as_str()) {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") && name != "tests.rs" {
            found.push(path);
        }
    }
}

/// Every string literal of `code` that is an error type.
fn error_types(code: &str) -> impl Iterator<Item = String> {
    let literals = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let literals = literals.flat_map(|line| line.split('"').skip(1).step_by(2));
    literals.filter(|literal| is_error_type(literal)).map(str::to_owned)
}

fn is_error_type(literal: &str) -> bool {
    literal.split_once('.').is_some_and(|(family, name)| {
        FAMILIES.contains(&family)
            && !name.is_empty()
            && name.chars().all(|char| char.is_ascii_alphabetic() || char == '_')
    })
}

#[test]
fn every_error_type_has_a_page_and_every_page_an_error_type() {
    let mut files = Vec::new();
    for folder in ["shared", "functions", "cli"] {
        sources(&root().join(folder), &mut files);
    }
    let mut in_code = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        in_code.extend(error_types(text.split("#[cfg(test)]").next().unwrap()));
    }
    let pages = fs::read_dir(root().join("docs/errors")).unwrap().flatten();
    let names = pages.map(|page| page.file_name().to_string_lossy().into_owned());
    let documented: BTreeSet<_> = names
        .filter_map(|name| name.strip_suffix(".md").map(str::to_owned))
        .filter(|name| name != "README")
        .collect();
    assert!(in_code.len() > 20, "the search finds nothing any more: {in_code:?}");
    assert_eq!(in_code, documented);
}

#[test]
fn every_page_says_what_happened_and_what_to_do_and_is_in_the_index() {
    let folder = root().join("docs/errors");
    let index = fs::read_to_string(folder.join("README.md")).unwrap();
    for page in fs::read_dir(&folder).unwrap().flatten() {
        let name = page.file_name().to_string_lossy().into_owned();
        if name == "README.md" {
            continue;
        }
        let text = fs::read_to_string(page.path()).unwrap();
        let code = name.strip_suffix(".md").unwrap();
        assert!(text.starts_with(&format!("# {code}\n\n## What happened\n")), "{name}");
        assert!(text.contains("\n## What to do\n"), "{name}");
        assert!(index.contains(&format!("- [{code}]({name}): ")), "{name}");
    }
}
