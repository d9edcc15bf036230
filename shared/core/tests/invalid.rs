//! Broken definitions, one file per kind of mistake, and the problems of each: a snapshot beside
//! it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sidestep_core::parse::problem::{Code, Problem, Severity};
use sidestep_core::parse::{Format, parse};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/invalid")
}

/// Returns name, format and bytes of every broken definition.
fn fixtures() -> Vec<(String, Format, Vec<u8>)> {
    let entries = std::fs::read_dir(folder()).expect("the folder");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let read = |path: &PathBuf| {
        let format = match path.extension()?.to_str()? {
            "json" => Format::Json,
            "yaml" => Format::Yaml,
            _ => return None,
        };
        let name = path.file_stem()?.to_str()?.to_owned();
        Some((name, format, std::fs::read(path).expect("a readable file")))
    };
    paths.iter().filter_map(read).collect()
}

fn render(problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        let severity = if problem.severity == Severity::Warning { " warning" } else { "" };
        let step = problem.step.as_ref().map_or_else(String::new, |step| format!(" [{step}]"));
        let (line, column, code) = (problem.line, problem.column, problem.code.name());
        let pointer = &problem.pointer;
        let _ = writeln!(text, "{line}:{column}{severity} {code} {pointer}{step}\n    {problem}");
    }
    text
}

#[test]
fn every_broken_definition_is_refused_with_its_problems() {
    let fixtures = fixtures();
    assert!(fixtures.len() >= 60, "{} fixtures", fixtures.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder());
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for (name, format, bytes) in fixtures {
            let problems = parse(&bytes, format).expect_err(&name);
            assert!(problems.iter().any(Problem::is_error), "{name}");
            insta::assert_snapshot!(name, render(&problems));
        }
    });
}

#[test]
fn problems_stand_in_the_order_of_the_text_and_inside_it() {
    for (name, format, bytes) in fixtures() {
        let problems = parse(&bytes, format).expect_err(&name);
        let places: Vec<_> = problems.iter().map(|p| (p.line, p.column)).collect();
        assert!(places.is_sorted(), "{name}: {places:?}");
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.split('\n').collect();
        for (line, column) in places {
            assert!((1..=lines.len()).contains(&line), "{name}: line {line}");
            let width = lines[line - 1].chars().count();
            assert!((1..=width + 1).contains(&column), "{name}: {line}:{column}");
        }
    }
}

#[test]
fn a_pointer_leads_to_a_value_of_the_document() {
    for (name, format, bytes) in fixtures() {
        let Ok(document) = serde_json::from_slice::<serde_json::Value>(&bytes) else { continue };
        for problem in parse(&bytes, format).expect_err(&name) {
            assert!(document.pointer(&problem.pointer).is_some(), "{name}: {}", problem.pointer);
        }
    }
}

#[test]
fn every_code_is_shown_by_a_fixture_or_is_about_sheer_size() {
    let fixtures = fixtures();
    let problems = fixtures.iter().filter_map(|(_, format, bytes)| parse(bytes, *format).err());
    let seen: Vec<Code> = problems.flatten().map(|problem| problem.code).collect();
    let missing: Vec<_> = Code::ALL.iter().filter(|code| !seen.contains(code)).collect();
    // A project decides which functions there are.
    assert_eq!(missing, [&Code::UnknownFunction, &Code::TooManyProblems]);
}

#[test]
fn every_code_is_in_the_documentation() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/definition.md");
    let page = std::fs::read_to_string(path).expect("docs/definition.md");
    for code in Code::ALL {
        assert!(page.contains(&format!("`{}`", code.name())), "{} is missing", code.name());
    }
}
