//! Files below a `tests` folder that no test binary compiles, and the binaries themselves.
//!
//! `autotests` is off where a crate has one binary, so a new file that `main.rs` does not name
//! would be silently left out.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use toml::{Table, Value};

use super::sources::Part;

/// Returns the root files of a part's test binaries, relative to its folder.
pub(super) fn test_binaries(part: &Part) -> Vec<PathBuf> {
    manifests(part).iter().flat_map(|folder| roots_in(part, folder, &["test"])).collect()
}

/// Returns the files below `tests` folders that belong to no target of their package.
pub(super) fn forgotten(part: &Part) -> Vec<PathBuf> {
    let mut known = BTreeSet::new();
    for folder in manifests(part) {
        for root in roots_in(part, &folder, &["test", "example", "bench", "bin"]) {
            follow(part, &root, true, &mut known);
        }
    }
    let is_test = |path: &Path| path.components().any(|folder| folder.as_os_str() == "tests");
    // A module of unit tests, `src/tests/mod.rs`, is the business of the compiler.
    let is_unit_test = |path: &Path| path.components().any(|folder| folder.as_os_str() == "src");
    let files = part.files.iter().map(|file| file.path.clone());
    files
        .filter(|path| (is_test(path) || part.name == "tests") && !is_unit_test(path))
        .filter(|path| !known.contains(path))
        .collect()
}

/// Returns the folders of a part that hold a `Cargo.toml`, relative to the part's folder.
fn manifests(part: &Part) -> Vec<PathBuf> {
    let found = super::sources::below(&part.folder, "toml").into_iter();
    let manifests = found.filter(|path| path.file_name().is_some_and(|name| name == "Cargo.toml"));
    manifests
        .map(|path| path.parent().unwrap().strip_prefix(&part.folder).unwrap().to_owned())
        .collect()
}

/// Returns the root files of the targets of these kinds: those that the manifest of `folder` names,
/// and those that cargo finds by itself.
fn roots_in(part: &Part, folder: &Path, kinds: &[&str]) -> Vec<PathBuf> {
    let text = fs::read_to_string(part.folder.join(folder).join("Cargo.toml")).unwrap();
    let manifest: Table = text.parse().unwrap();
    let mut roots = Vec::new();
    for kind in kinds {
        let home = if *kind == "bin" { "src/bin".to_owned() } else { plural(kind) };
        for target in manifest.get(*kind).and_then(Value::as_array).into_iter().flatten() {
            let name = target["name"].as_str().unwrap();
            match target.get("path").and_then(Value::as_str) {
                Some(path) => roots.push(folder.join(path)),
                None => roots.extend(
                    [format!("{home}/{name}.rs"), format!("{home}/{name}/main.rs")]
                        .map(|path| folder.join(path)),
                ),
            }
        }
        let switch = format!("auto{}", plural(kind));
        let package = manifest.get("package");
        let is_off =
            package.and_then(|package| package.get(&switch)) == Some(&Value::Boolean(false));
        if !is_off {
            roots.extend(found_by_cargo(part, &folder.join(home)));
        }
    }
    roots.retain(|root| part.files.iter().any(|file| file.path == *root));
    roots.sort();
    roots.dedup();
    roots
}

fn plural(kind: &str) -> String {
    if kind == "bench" { "benches".to_owned() } else { format!("{kind}s") }
}

/// Returns `NAME.rs` and `NAME/main.rs` of a folder.
fn found_by_cargo(part: &Part, home: &Path) -> Vec<PathBuf> {
    let is_root = |path: &Path| {
        let is_beside = path.parent() == Some(home);
        let is_main =
            path.ends_with("main.rs") && path.parent().and_then(Path::parent) == Some(home);
        is_beside || is_main
    };
    part.files.iter().map(|file| file.path.clone()).filter(|path| is_root(path)).collect()
}

/// Adds a file and those that it takes in: modules, and Rust files that it includes as text.
fn follow(part: &Part, path: &Path, is_root: bool, known: &mut BTreeSet<PathBuf>) {
    let Some(file) = part.files.iter().find(|file| file.path == path) else { return };
    if !known.insert(path.to_owned()) {
        return;
    }
    let beside = path.parent().unwrap();
    let is_owner = is_root || path.ends_with("mod.rs");
    let below = if is_owner { beside.to_owned() } else { path.with_extension("") };
    for item in &file.syntax.items {
        let syn::Item::Mod(module) = item else { continue };
        if let Some(path) = module.attrs.iter().find_map(path_attribute) {
            follow(part, &plain(&beside.join(path)), false, known);
        }
        let name = module.ident.to_string();
        follow(part, &below.join(format!("{name}.rs")), false, known);
        follow(part, &below.join(name).join("mod.rs"), false, known);
    }
    if let Ok(tokens) = file.text.parse() {
        for included in included(tokens) {
            known.insert(plain(&beside.join(included)));
        }
    }
}

fn path_attribute(attribute: &syn::Attribute) -> Option<String> {
    let syn::Meta::NameValue(pair) = &attribute.meta else { return None };
    match &pair.value {
        syn::Expr::Lit(literal) if pair.path.is_ident("path") => match &literal.lit {
            syn::Lit::Str(path) => Some(path.value()),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the arguments of `include_str!` and `include!`.
fn included(tokens: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_include = false;
    for token in tokens {
        match token {
            TokenTree::Ident(name) => is_include = name.to_string().starts_with("include"),
            TokenTree::Group(group) if is_include => {
                found.push(group.stream().to_string().trim_matches('"').to_owned());
                is_include = false;
            }
            TokenTree::Group(group) => found.extend(included(group.stream())),
            TokenTree::Punct(punct) if punct.as_char() == '!' => {}
            _ => is_include = false,
        }
    }
    found
}

/// Resolves `..` in a path without asking the file system.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        if part.as_os_str() == ".." {
            plain.pop();
        } else {
            plain.push(part);
        }
    }
    plain
}
