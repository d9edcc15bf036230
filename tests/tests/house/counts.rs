//! The counts of the house, and their bounds in `tests/house.toml`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::forgotten::test_binaries;
use super::imports::Imports;
use super::sizes::Sizes;
use super::sources::{Part, below, root};
use super::words::Words;

/// Says in the file how it is made.
const HEAD: &str = "\
# Upper bounds of what the tests in `tests/tests/house` count, for each part of the workspace. A test
# fails when a count is over its bound; a bound that is missing is 0. When the counts have fallen,
# `HOUSE_UPDATE=1 cargo test -p sidestep-tests house` writes this file anew. Bounds fall: a commit that
# raises one says why.
";

/// What is counted in one part.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Counts {
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) comment_lines_over_100: usize,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) unnamed_actors: usize,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) banned_words: usize,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) summaries_without_verb: usize,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) rebound_names: usize,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) functions_over_60: usize,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) functions_over_100: usize,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) files_over_300: usize,
    /// Files that use each other in a circle: each allowed circle, which may lose files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) circles: Vec<Vec<String>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Counts {
    /// Returns the numbers with their names, in one order.
    pub(super) fn numbers(&self) -> [(&'static str, usize); 8] {
        [
            ("comment_lines_over_100", self.comment_lines_over_100),
            ("unnamed_actors", self.unnamed_actors),
            ("banned_words", self.banned_words),
            ("summaries_without_verb", self.summaries_without_verb),
            ("rebound_names", self.rebound_names),
            ("functions_over_60", self.functions_over_60),
            ("functions_over_100", self.functions_over_100),
            ("files_over_300", self.files_over_300),
        ]
    }

    /// Returns true if `circle` is within one of the circles that these bounds allow.
    pub(super) fn allows(&self, circle: &[String]) -> bool {
        self.circles.iter().any(|allowed| circle.iter().all(|file| allowed.contains(file)))
    }
}

/// The counts of all parts, and of the workspace.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct House {
    pub(super) test_binaries: usize,
    pub(super) parts: BTreeMap<String, Counts>,
}

/// A part with its counts and the places behind them.
pub(super) struct Measured {
    pub(super) name: &'static str,
    pub(super) counts: Counts,
    pub(super) words: Words,
    /// `None` for texts that are not Rust.
    pub(super) sizes: Option<Sizes>,
}

/// Measures every part of the workspace: its Rust files, then the pages, then Python.
pub(super) fn measure(parts: &[Part]) -> Vec<Measured> {
    let mut measured: Vec<_> = parts.iter().map(measure_part).collect();
    let mut pages = below(&root().join("docs"), "md");
    for folder in ["cli", "examples", "functions", "infra", "localstack", "python", "shared"] {
        pages.extend(below(&root().join(folder), "md"));
    }
    let at_root = fs::read_dir(root()).unwrap().flatten().map(|entry| entry.path());
    // STYLE.md names the words that are not to be used.
    let is_page = |path: &PathBuf| {
        path.extension().is_some_and(|ending| ending == "md") && !path.ends_with("STYLE.md")
    };
    pages.extend(at_root.filter(is_page));
    measured.push(measure_texts("pages", &pages));
    let python = ["cli", "examples", "python"].map(|folder| below(&root().join(folder), "py"));
    measured.push(measure_texts("python", &python.concat()));
    measured
}

fn measure_part(part: &Part) -> Measured {
    let mut words = Words::default();
    for file in &part.files {
        let place = format!("{}/{}", part.name, file.path.display());
        words.read_file(file, &place);
    }
    let sizes = Sizes::measure(part);
    let counts = Counts {
        functions_over_60: sizes.functions_over_60,
        functions_over_100: sizes.functions_over_100,
        files_over_300: sizes.files_over_300,
        circles: Imports::read(part).circles(),
        ..counts_of(&words)
    };
    Measured { name: part.name, counts, words, sizes: Some(sizes) }
}

fn measure_texts(name: &'static str, paths: &[PathBuf]) -> Measured {
    let mut words = Words::default();
    for path in paths {
        words.read_text(&fs::read_to_string(path).unwrap());
    }
    Measured { name, counts: counts_of(&words), words, sizes: None }
}

fn counts_of(words: &Words) -> Counts {
    Counts {
        comment_lines_over_100: words.long_comments.len(),
        unnamed_actors: words.unnamed_actors,
        banned_words: words.banned,
        summaries_without_verb: words.summaries_without_verb.len(),
        rebound_names: words.rebound_names.len(),
        ..Counts::default()
    }
}

impl House {
    /// Returns what was measured, as it stands in the file.
    pub(super) fn of(parts: &[Part], measured: &[Measured]) -> Self {
        let test_binaries = parts.iter().map(|part| test_binaries(part).len()).sum();
        let parts = measured.iter().map(|one| (one.name.to_owned(), one.counts.clone()));
        Self { test_binaries, parts: parts.collect() }
    }

    /// Reads the bounds. Without a file all of them are 0.
    pub(super) fn read() -> Self {
        let text = fs::read_to_string(path()).unwrap_or_default();
        toml::from_str(&text).unwrap_or_else(|error| panic!("tests/house.toml: {error}"))
    }

    /// Writes these counts as the bounds.
    pub(super) fn write(&self) {
        let text = toml::to_string(self).unwrap();
        fs::write(path(), format!("{HEAD}\n{text}")).unwrap();
    }
}

fn path() -> PathBuf {
    root().join("tests/house.toml")
}
