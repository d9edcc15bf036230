//! The Rust files of the workspace, read and parsed once, crate by crate.

use std::fs;
use std::path::{Path, PathBuf};

/// The parts of the workspace that are measured one by one, with their folders.
pub(super) const PARTS: [(&str, &str); 14] = [
    ("admission", "shared/admission"),
    ("api", "shared/api"),
    ("aws", "shared/aws"),
    ("cli", "cli"),
    ("core", "shared/core"),
    ("deploy", "shared/deploy"),
    ("engine", "shared/engine"),
    ("examples", "examples"),
    ("functions", "functions"),
    ("fuzz", "fuzz"),
    ("local", "shared/local"),
    ("step", "shared/step"),
    ("testkit", "shared/testkit"),
    ("tests", "tests"),
];

/// A part of the workspace with all its Rust files, in the order of their paths.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) folder: PathBuf,
    pub(super) files: Vec<SourceFile>,
}

pub(super) struct SourceFile {
    /// Relative to the part's folder.
    pub(super) path: PathBuf,
    pub(super) text: String,
    pub(super) syntax: syn::File,
}

impl SourceFile {
    /// Returns true for code of the product, and false for tests, benches and examples.
    pub(super) fn is_product(&self) -> bool {
        let mut parts = self.path.iter();
        let is_test = self.path.file_stem().is_some_and(|stem| stem == "tests");
        parts.any(|part| part == "src") && !is_test
    }
}

/// Reads every part of the workspace.
pub(super) fn read() -> Vec<Part> {
    let part = |&(name, folder): &(&'static str, &str)| {
        let folder = root().join(folder);
        let files = below(&folder, "rs").into_iter().map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let syntax = syn::parse_file(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let path = path.strip_prefix(&folder).unwrap().to_owned();
            SourceFile { path, text, syntax }
        });
        Part { name, files: files.collect(), folder: folder.clone() }
    };
    PARTS.iter().map(part).collect()
}

/// Returns the root of the workspace.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Returns the files below `folder` that end in `.extension`, sorted, without what a build leaves.
pub(super) fn below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && name != "node_modules" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|ending| ending == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Returns true if an item is compiled for unit tests only.
pub(super) fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    let is_test = |attribute: &syn::Attribute| match &attribute.meta {
        syn::Meta::List(list) if list.path.is_ident("cfg") => list.tokens.to_string() == "test",
        meta => meta.path().segments.last().is_some_and(|last| last.ident == "test"),
    };
    attributes.iter().any(is_test)
}
