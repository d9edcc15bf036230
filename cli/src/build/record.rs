//! The record of the last build, by which the command knows that there is nothing to build without
//! asking cargo, which takes half a second.
//!
//! Sources come from cargo's dep-info (`NAME.d` beside a binary), which lists those of path
//! dependencies too. A new source file is reached only through an edited one, so the list is
//! complete; files whose mere appearance changes a build are recorded as absent. A build that
//! cannot be judged leaves no record: a build script of the project's own, a source edited while
//! cargo ran, a configuration that includes others.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::binary::Binary;
use super::call::{Build, is_of_package};
use super::messages::Messages;
use crate::output::error::{CommandError, OrError as _};

/// Version of the record's format; records of other versions are not read.
const VERSION: u32 = 1;
/// Resolution of file times. A file that changed this shortly before cargo began may have changed
/// again after cargo read it.
const CLOCK_STEP: Duration = Duration::from_millis(100);
/// Files that change how cargo builds, in the project and every folder above it.
const CONFIGURATION: [&str; 4] =
    [".cargo/config.toml", ".cargo/config", "rust-toolchain.toml", "rust-toolchain"];
/// Files that cargo finds in a package by their names.
const BY_NAME: [&str; 4] = ["build.rs", "src/bin", "src/lib.rs", "src/main.rs"];

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Record {
    version: u32,
    arguments: Vec<String>,
    /// Environment variables that a build script or an `env!` reads, beside those that cargo reads.
    variables: BTreeSet<String>,
    /// Digest of the variables' values; the values themselves can be secrets.
    environment: String,
    files: BTreeMap<PathBuf, Option<Stamp>>,
    pub(super) binaries: BTreeMap<String, Binary>,
}

/// Facts of a file that change when its content does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    size: u64,
    seconds: i64,
    nanoseconds: i64,
    inode: u64,
}

impl Stamp {
    /// Returns `None` if the file does not exist.
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            size: metadata.size(),
            seconds: metadata.mtime(),
            nanoseconds: metadata.mtime_nsec(),
            inode: metadata.ino(),
        })
    }
}

impl Record {
    /// Reads a record; one that is damaged or of another version counts as missing.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let record: Self = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        (record.version == VERSION).then_some(record)
    }

    /// Writes the record, all at once.
    pub(super) fn write(&self, path: &Path) -> Result<(), CommandError> {
        let temporary = path.with_extension(std::process::id().to_string());
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
            fs::write(&temporary, serde_json::to_vec(self)?)?;
            fs::rename(&temporary, path)
        };
        write().or_service(|| format!("could not write `{}`", path.display()))
    }

    /// Returns true if cargo would find nothing to do for `build`.
    pub(super) fn holds(&self, build: &Build) -> bool {
        self.arguments == build.arguments
            && self.environment == environment(build, &self.variables)
            && self.files.iter().all(|(path, stamp)| Stamp::of(path) == *stamp)
    }

    /// Returns the record of a build that began at `started` and succeeded, or `None` if it cannot
    /// be judged.
    pub(super) fn of(
        build: &Build,
        started: SystemTime,
        messages: &Messages,
        binaries: BTreeMap<String, Binary>,
    ) -> Option<Self> {
        if messages.has_local_script() {
            return None;
        }
        let mut variables = BTreeSet::new();
        for path in messages.script_outputs() {
            let output = fs::read_to_string(path?).ok()?;
            variables.extend(asked_by_script(&output));
        }
        let mut paths: BTreeSet<PathBuf> = settings(build)?;
        for manifest in messages.local_manifests() {
            let package = manifest.parent()?;
            paths.extend(package.ancestors().flat_map(workspace_files));
            paths.extend(BY_NAME.iter().map(|name| package.join(name)));
        }
        let mut sources = BTreeSet::new();
        let mut folders = BTreeSet::new();
        for binary in binaries.values() {
            sources.extend(sources_of(&binary.path)?);
            folders.insert(binary.path.parent()?.join("deps"));
            paths.insert(binary.path.clone());
        }
        for folder in folders {
            variables.extend(asked_by_code(&folder)?);
        }
        let latest = started.checked_sub(CLOCK_STEP)?;
        for source in &sources {
            let metadata = fs::metadata(source).ok().filter(fs::Metadata::is_file)?;
            if !source.is_absolute() || metadata.modified().ok()? > latest {
                return None;
            }
        }
        paths.extend(sources);
        let stamped = |path: PathBuf| {
            let stamp = Stamp::of(&path);
            (path, stamp)
        };
        Some(Self {
            version: VERSION,
            arguments: build.arguments.clone(),
            environment: environment(build, &variables),
            variables,
            files: paths.into_iter().map(stamped).collect(),
            binaries,
        })
    }
}

/// Returns the toolchain and the files that configure it and cargo, or `None` if they cannot be
/// known.
fn settings(build: &Build) -> Option<BTreeSet<PathBuf>> {
    let variable = |name: &str| build.environment.get(OsStr::new(name));
    if ["RUSTC", "CARGO_BUILD_RUSTC"].iter().any(|name| variable(name).is_some()) {
        return None;
    }
    let above = build.folder.ancestors();
    let mut paths: BTreeSet<_> =
        above.flat_map(|folder| CONFIGURATION.map(|name| folder.join(name))).collect();
    let home = |name: &str, folder: &str| {
        let at_home = || Some(Path::new(variable("HOME")?).join(folder));
        variable(name).map(PathBuf::from).or_else(at_home)
    };
    let cargo = home("CARGO_HOME", ".cargo")?;
    paths.extend(["config.toml", "config"].map(|name| cargo.join(name)));
    for path in &paths {
        let Ok(text) = fs::read_to_string(path) else { continue };
        // Included files and a compiler of the user's choice are not followed.
        let table: toml::Table = text.parse().unwrap_or_default();
        let compiler = table.get("build").and_then(|build| build.get("rustc"));
        if table.contains_key("include") || compiler.is_some() {
            return None;
        }
    }
    paths.insert(home("RUSTUP_HOME", ".rustup")?.join("settings.toml"));
    paths.extend(build.folder.ancestors().flat_map(workspace_files));
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "sysroot"]).current_dir(&build.folder);
    rustc.env_clear().envs(&build.environment);
    let output = rustc.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let sysroot = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    let tools = ["bin/cargo", "bin/rustc"].map(|name| sysroot.join(name));
    paths.extend(tools);
    Some(paths)
}

fn workspace_files(folder: &Path) -> [PathBuf; 2] {
    ["Cargo.toml", "Cargo.lock"].map(|name| folder.join(name))
}

/// Returns a digest of the variables in `variables` and of those that cargo and rustc themselves
/// read.
fn environment(build: &Build, variables: &BTreeSet<String>) -> String {
    let mut hash = Sha256::new();
    for (name, value) in &build.environment {
        let heeded = name.to_str().is_some_and(|name| variables.contains(name) || is_heeded(name));
        if heeded {
            for part in [name, value] {
                let bytes = part.as_encoded_bytes();
                hash.update(bytes.len().to_le_bytes());
                hash.update(bytes);
            }
        }
    }
    hex::encode(hash.finalize())
}

/// Returns true if cargo or rustc may read the variable.
fn is_heeded(name: &str) -> bool {
    let harmless = ["RUST_BACKTRACE", "RUST_LOG", "RUST_RECURSION_COUNT"];
    let of_tools = name.starts_with("CARGO") || name.starts_with("RUST") || name == "PATH";
    of_tools && !is_of_package(name) && !harmless.contains(&name)
}

/// Returns the variables that a build script asked cargo to watch
/// (<https://doc.rust-lang.org/cargo/reference/build-scripts.html#rerun-if-env-changed>).
fn asked_by_script(output: &str) -> impl Iterator<Item = String> {
    output.lines().filter_map(|line| {
        let line = line.strip_prefix("cargo:")?;
        let name = line.trim_start_matches(':').strip_prefix("rerun-if-env-changed=")?;
        Some(name.to_owned())
    })
}

/// Returns the variables that `env!` and `option_env!` read, which rustc notes in each crate's
/// dep-info.
fn asked_by_code(folder: &Path) -> Option<BTreeSet<String>> {
    let mut variables = BTreeSet::new();
    for entry in fs::read_dir(folder).ok()? {
        let path = entry.ok()?.path();
        if path.extension() != Some(OsStr::new("d")) {
            continue;
        }
        // Another build may be removing its files at this moment.
        let text = fs::read_to_string(&path).unwrap_or_default();
        let asked = text.lines().filter_map(|line| line.strip_prefix("# env-dep:"));
        let names = asked.filter_map(|asked| asked.split('=').next());
        variables.extend(names.filter(|name| !is_of_package(name)).map(str::to_owned));
    }
    Some(variables)
}

/// Reads the sources of a binary from its dep-info: `BINARY: FILE FILE`, spaces in names escaped.
fn sources_of(binary: &Path) -> Option<BTreeSet<PathBuf>> {
    let mut name = binary.as_os_str().to_owned();
    name.push(".d");
    let text = fs::read_to_string(name).ok()?;
    let (_, list) = text.lines().next()?.split_once(": ")?;
    let escaped = list.replace("\\ ", "\0");
    let files = escaped.split(' ').filter(|name| !name.is_empty());
    Some(files.map(|name| PathBuf::from(name.replace('\0', " "))).collect())
}
