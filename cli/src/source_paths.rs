//! The paths of users' files, in place of those of the copies that run.
//!
//! What runs is a copy of a function's folder, under a digest. A traceback names the copy, which
//! its reader does not know and must not edit.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Component, Path};

use sidestep_core::definition::{Pipeline, StepIndex, StepKind};

use crate::settings::Settings;

/// The folder in which the embedded cloud keeps the copies.
const COPIES: &str = "functions/";

/// The folder of a function's code on Lambda.
const ON_LAMBDA: &str = "/var/task/";

/// The length of a copy's name: a SHA-256 in hexadecimal digits.
const DIGITS: usize = 64;

/// The folder of each function's code in the project, by the function's name.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourcePaths {
    folders: BTreeMap<String, String>,
}

impl SourcePaths {
    /// Returns the folders of the functions that have one.
    pub(crate) fn of(settings: &Settings) -> Self {
        let folders = settings
            .functions
            .iter()
            .filter_map(|(name, function)| Some((name.clone(), prefix(function.path.as_deref()?))));
        Self { folders: folders.collect() }
    }

    /// Returns the text of a step's function with the paths of the user's files.
    pub(crate) fn of_step<'a>(
        &self,
        pipeline: &Pipeline,
        step: StepIndex,
        text: &'a str,
    ) -> Cow<'a, str> {
        let StepKind::Lambda(lambda) = &pipeline.step(step).kind else { return text.into() };
        let folder = self.folders.get(lambda.function_arn.function_name());
        folder.map_or(Cow::Borrowed(text), |folder| rewrite(text, folder))
    }
}

/// Returns a folder as the beginning of a path: `f/`, or nothing for the project's own folder.
fn prefix(path: &Path) -> String {
    let parts = path.components().filter(|part| *part != Component::CurDir);
    let mut text = parts.collect::<std::path::PathBuf>().display().to_string();
    if !text.is_empty() && !text.ends_with('/') {
        text.push('/');
    }
    text
}

/// Replaces the path of every copy by `folder`.
fn rewrite<'a>(text: &'a str, folder: &str) -> Cow<'a, str> {
    let (mut written, mut rest) = (String::new(), text);
    while let Some((begin, end)) = copy(rest) {
        written.push_str(&rest[..begin]);
        written.push_str(folder);
        rest = &rest[end..];
    }
    if written.is_empty() && rest.len() == text.len() {
        return text.into();
    }
    (written + rest).into()
}

/// Returns where the path of the first copy begins and ends.
fn copy(text: &str) -> Option<(usize, usize)> {
    let in_store = text.match_indices(COPIES).find_map(|(at, _)| {
        let digest = at + COPIES.len();
        let name = text.as_bytes().get(digest..=digest + DIGITS)?;
        let is_copy = name[DIGITS] == b'/' && name[..DIGITS].iter().all(u8::is_ascii_hexdigit);
        is_copy.then(|| (start_of_path(text, at), digest + DIGITS + 1))
    });
    let on_lambda = text.find(ON_LAMBDA).map(|at| (at, at + ON_LAMBDA.len()));
    in_store.into_iter().chain(on_lambda).min()
}

/// Returns where the path around `at` begins: behind a quote, else behind a blank or a bracket.
fn start_of_path(text: &str, at: usize) -> usize {
    let head = &text[..at];
    let line = head.rfind('\n').map_or(0, |end| end + 1);
    let quote = head[line..].rfind(['"', '\'', '`']).map(|at| line + at);
    if let Some(quote) = quote.filter(|quote| head[quote + 1..].starts_with('/')) {
        return quote + 1;
    }
    let is_around = |c: char| c.is_whitespace() || "\"'`(<[{=,".contains(c);
    head.rfind(is_around).map_or(0, |end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_named_as_the_users_files() {
        let digest = "0a".repeat(32);
        let store = format!("/home/a b/p/.sidestep/functions/{digest}");
        let cases = [
            (format!("  File \"{store}/h.py\", line 6"), "  File \"f/h.py\", line 6"),
            (
                format!("File \"{store}/pkg/m.py\", line 1, in g"),
                "File \"f/pkg/m.py\", line 1, in g",
            ),
            (
                format!("at handler (/p/.sidestep/functions/{digest}/i.mjs:3:7)"),
                "at handler (f/i.mjs:3:7)",
            ),
            (format!("file:///p/.sidestep/functions/{digest}/i.mjs:3"), "f/i.mjs:3"),
            ("File \"/var/task/h.py\", line 2".to_owned(), "File \"f/h.py\", line 2"),
            (format!("\"{store}/a.py\" and \"{store}/b.py\""), "\"f/a.py\" and \"f/b.py\""),
            ("/p/functions/short/h.py".to_owned(), "/p/functions/short/h.py"),
            (String::new(), ""),
        ];
        for (text, expected) in cases {
            assert_eq!(rewrite(&text, "f/"), expected);
        }
        let bare = format!("{store}/h.py");
        assert_eq!(rewrite(&bare, ""), "/home/a h.py", "a blank ends a path without quotes");
        for (path, text) in [("f", "f/"), ("./f/", "f/"), (".", ""), ("a/b", "a/b/")] {
            assert_eq!(prefix(Path::new(path)), text);
        }
    }
}
