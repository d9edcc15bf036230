//! Which files of a folder are not code: the rules of `.sidestepignore`, then of `.gitignore`, then
//! those that always hold.

use std::fs;
use std::path::{Path, PathBuf};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::output::error::{CommandError, OrError as _};

/// The user's own rules, which may also take files in again with `!`.
const OWN: &str = ".sidestepignore";

/// The rules that always hold, in the form of `.gitignore`.
const ALWAYS: &[&str] = &[
    // What Python, its tools and Node.js write beside the code.
    "__pycache__/",
    "*.py[co]",
    ".mypy_cache/",
    ".pytest_cache/",
    ".ruff_cache/",
    ".hypothesis/",
    ".ipynb_checkpoints/",
    ".tox/",
    ".nox/",
    ".coverage",
    "node_modules/.cache/",
    "node_modules/.package-lock.json",
    ".npm/",
    // What editors and desktops write.
    "*~",
    "*.sw[a-p]",
    ".#*",
    "\\#*#",
    ".idea/",
    ".vscode/",
    ".vs/",
    ".fleet/",
    ".DS_Store",
    "._*",
    "[Tt]humbs.db",
    "ehthumbs.db",
    "[Dd]esktop.ini",
    // Version control, and sidestep itself.
    ".git",
    ".gitignore",
    ".gitattributes",
    ".gitmodules",
    ".hg/",
    ".svn/",
    ".sidestep/",
    OWN,
];

/// The rules for the files of one folder, which grow and shrink with the walk through it.
#[derive(Debug)]
pub(super) struct Ignored {
    always: Gitignore,
    own: Vec<Gitignore>,
    git: Vec<Gitignore>,
}

impl Ignored {
    /// Reads the rules of the folders from `top` down to above `folder`.
    ///
    /// `folder` is below `top`, or is not part of the project: then only its own rules count.
    pub(super) fn above(folder: &Path, top: &Path) -> Result<Self, CommandError> {
        let mut always = GitignoreBuilder::new(folder);
        for line in ALWAYS {
            always.add_line(None, line).or_service(|| format!("invalid rule `{line}`"))?;
        }
        let always = always.build().or_service(|| "invalid rules")?;
        let mut ignored = Self { always, own: Vec::new(), git: Vec::new() };
        let mut above: Vec<&Path> =
            folder.ancestors().skip(1).take_while(|above| above.starts_with(top)).collect();
        above.reverse();
        for folder in above {
            ignored.enter(folder)?;
        }
        Ok(ignored)
    }

    /// Adds the rules that lie in `folder`, which the walk enters.
    pub(super) fn enter(&mut self, folder: &Path) -> Result<(), CommandError> {
        // What npm installed has rules that were meant for its authors.
        let is_installed = folder.components().any(|part| part.as_os_str() == "node_modules");
        let git = folder.join(".gitignore");
        self.git.push(if is_installed { Gitignore::empty() } else { Gitignore::new(git).0 });
        let own = folder.join(OWN);
        let (rules, problem) =
            if own.is_file() { Gitignore::new(&own) } else { (Gitignore::empty(), None) };
        self.own.push(rules);
        match problem {
            Some(problem) => Err(problem).or_user(|| format!("`{}` is invalid", own.display())),
            None => Ok(()),
        }
    }

    /// Forgets the rules of the folder that the walk leaves.
    pub(super) fn leave(&mut self) {
        self.git.pop();
        self.own.pop();
    }

    /// Returns true if the file or folder is not code.
    pub(super) fn matches(&self, path: &Path, is_folder: bool) -> bool {
        let rules = self.own.iter().rev().map(|rules| rules.matched(path, is_folder));
        match rules.into_iter().find(|found| !found.is_none()) {
            Some(Match::Whitelist(_)) => return false,
            Some(_) => return true,
            None => {}
        }
        let rules = self.git.iter().rev().map(|rules| rules.matched(path, is_folder));
        let of_git = rules.into_iter().find(|found| !found.is_none());
        of_git.is_some_and(|found| found.is_ignore())
            || self.always.matched(path, is_folder).is_ignore()
            || (is_folder && is_made(path))
    }
}

/// Returns true if a tool made the folder: an environment of Python, a build, a cache.
fn is_made(folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).exists();
    if has("pyvenv.cfg") || is_cache(&folder.join("CACHEDIR.TAG")) {
        return true;
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let parent = folder.parent().unwrap_or(folder);
    if name.ends_with(".egg-info") {
        return is_package(parent) || parent.parent().is_some_and(is_package);
    }
    name == "build" && is_package(parent) && holds_a_build(folder)
}

/// Returns true if the file says that its folder is a cache (<https://bford.info/cachedir/>).
fn is_cache(tag: &Path) -> bool {
    fs::read(tag).is_ok_and(|text| text.starts_with(b"Signature: 8a477f597d28d172789f06886806bc55"))
}

/// Returns true if Python's tools build a package from the folder.
fn is_package(folder: &Path) -> bool {
    ["setup.py", "setup.cfg", "pyproject.toml"].iter().any(|name| folder.join(name).is_file())
}

/// Returns true if a `build` folder holds nothing but what setuptools leaves there.
fn holds_a_build(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    let names: Vec<PathBuf> = entries.flatten().map(|entry| entry.file_name().into()).collect();
    let is_of_build = |name: &PathBuf| {
        let name = name.to_string_lossy();
        let starts = ["lib.", "bdist.", "temp.", "scripts-", "src."];
        name == "lib" || name == "scripts" || starts.iter().any(|start| name.starts_with(start))
    };
    !names.is_empty() && names.iter().all(is_of_build)
}
