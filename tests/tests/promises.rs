//! Pages that name tests and files name ones that exist: `docs/semantics.md`, `docs/recovery.md`,
//! `ARCHITECTURE.md` and `CONTRIBUTING.md`.

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

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Returns all code of the workspace.
fn code() -> String {
    let mut files = Vec::new();
    sources(root(), &mut files);
    files.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// Returns true if there is a test of this name, or a part of a suite that is called.
fn is_test(code: &str, name: &str) -> bool {
    let definition = format!("fn {name}(");
    let Some(at) = code.find(&definition) else { return false };
    // Attributes and docs go before a function, the end of another one before them.
    let before = code[..at].rsplit("\n\n").next().unwrap_or_default();
    let has_attribute = ["#[test]", "#[tokio::test"].iter().any(|test| before.contains(test));
    has_attribute || code.matches(&format!("{name}(")).count() > 1
}

#[test]
fn every_promise_names_a_test_that_exists() {
    let page = fs::read_to_string(root().join("docs/semantics.md")).unwrap();
    let code = code();
    let names: Vec<_> = page
        .lines()
        .filter_map(|line| line.trim().strip_prefix("test: `")?.strip_suffix('`'))
        .collect();
    assert!(names.len() >= 15, "the page lists its tests as lines `test: ...`");
    for name in names {
        assert!(is_test(&code, name), "no test `{name}`");
    }
}

#[test]
fn every_row_of_what_goes_wrong_names_tests_that_exist() {
    let page = fs::read_to_string(root().join("docs/recovery.md")).unwrap();
    let code = code();
    let (_, table) = page.split_once("\n## What goes wrong\n").unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    let mut count = 0;
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").collect();
        assert_eq!(cells.len(), 3, "{row}");
        let names: Vec<_> = cells[2].split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test: {row}");
        for name in names {
            assert!(is_test(&code, name), "no test `{name}`: {row}");
        }
        count += 1;
    }
    assert!(count >= 40, "the table has {count} rows");
}

#[test]
fn every_row_of_the_comparison_with_lambda_names_tests_that_exist() {
    let page = fs::read_to_string(root().join("docs/lambda-parity.md")).unwrap();
    let code = code();
    let mut count = 0;
    for row in page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| what ")) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").collect();
        assert_eq!(cells.len(), 4, "{row}");
        for name in cells[3].split('`').skip(1).step_by(2) {
            assert!(is_test(&code, name), "no test `{name}`: {row}");
            count += 1;
        }
    }
    assert!(count >= 20, "the tables name {count} tests");
}

/// Paths with a placeholder, such as `NAME.rs` or `{table,queue}`, are shapes and not files.
#[test]
fn every_file_that_a_newcomer_is_sent_to_exists() {
    let rooms = ["shared/", "cli/", "functions/", "tests/", "docs/"];
    let mut count = 0;
    for page in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        let names = text.split('`').skip(1).step_by(2);
        let paths = names.filter(|name| rooms.iter().any(|room| name.starts_with(room)));
        for path in paths.filter(|path| !path.contains(['{', ' ']) && !path.contains("NAME")) {
            assert!(root().join(path).exists(), "{page} names `{path}`");
            count += 1;
        }
    }
    assert!(count >= 30, "the pages name {count} files");
}

#[test]
fn every_limit_names_a_test_that_exists() {
    let table = fs::read_to_string(root().join("shared/core/tests/limits.rs")).unwrap();
    let code = code();
    let (_, rows) = table.split_once("const ELSEWHERE").unwrap();
    let (rows, _) = rows.split_once("];\n").unwrap();
    let names: Vec<_> = rows.split('"').skip(1).step_by(2).collect();
    assert!(names.len() >= 30, "the table has pairs of a limit and a test: {names:?}");
    for pair in names.chunks(2) {
        assert!(is_test(&code, pair[1]), "no test `{}` of `{}`", pair[1], pair[0]);
    }
}
