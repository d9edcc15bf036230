//! `docs/semantics.md` names a test for every promise; the names must exist.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "tests may")]

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && name != "target" && name != ".git" {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_promise_names_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = fs::read_to_string(root.join("docs/semantics.md")).unwrap();
    let mut files = Vec::new();
    sources(root, &mut files);
    let code: String = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let names: Vec<_> = page
        .lines()
        .filter_map(|line| line.trim().strip_prefix("test: `")?.strip_suffix('`'))
        .collect();
    assert!(names.len() >= 15, "the page lists its tests as lines `test: ...`");
    for name in names {
        assert!(code.contains(&format!("fn {name}(")), "no test `{name}`");
    }
}
