//! Builds the project's Rust packages with one call of cargo, which is skipped while the record of
//! the last build is still valid.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::binary::Binary;
use super::call::Build;
use super::handler::handler;
use super::messages::Program;
use super::record::Record;
use super::sdk_packages::packages_with_sdk;
use crate::output::error::{CommandError, OrError as _, user};

/// Builds these packages and returns their binaries by package. The file `record` remembers the
/// build.
pub(super) fn binaries(
    folder: &Path,
    packages: &[String],
    record: &Path,
) -> Result<BTreeMap<String, Binary>, CommandError> {
    if packages.is_empty() {
        return Ok(BTreeMap::new());
    }
    run(&Build::new(folder, packages), record)
}

/// Runs cargo for `build`, unless the record at `path` shows that nothing changed.
pub(super) fn run(build: &Build, path: &Path) -> Result<BTreeMap<String, Binary>, CommandError> {
    if let Some(record) = Record::read(path).filter(|record| record.holds(build)) {
        return Ok(record.binaries);
    }
    let started = SystemTime::now();
    let messages = build.cargo()?;
    let with_sdk = packages_with_sdk(&build.folder)?;
    let mut binaries = BTreeMap::new();
    for (package, path) in handlers(messages.programs())? {
        let bytes =
            fs::read(&path).or_service(|| format!("could not read `{}`", path.display()))?;
        let sha256 = Sha256::digest(&bytes).into();
        let has_sdk = with_sdk.contains(&package);
        binaries.insert(package, Binary { path, sha256, has_sdk });
    }
    // Without a record cargo is asked again the next time, which is slower and as right.
    if let Some(record) = Record::of(build, started, &messages, binaries.clone()) {
        record.write(path)?;
    } else {
        tracing::debug!("this build cannot be told fresh without cargo");
    }
    Ok(binaries)
}

/// Returns each package's function: its only program, or the one with the package's name.
fn handlers(programs: Vec<Program>) -> Result<BTreeMap<String, PathBuf>, CommandError> {
    let mut packages: BTreeMap<String, BTreeMap<String, PathBuf>> = BTreeMap::new();
    for Program { package, name, path } in programs {
        packages.entry(package).or_default().insert(name, path);
    }
    let mut handlers = BTreeMap::new();
    for (package, mut programs) in packages {
        let names: Vec<_> = programs.keys().map(String::as_str).collect();
        let name = handler(&package, &names).map(str::to_owned).ok_or_else(|| {
            user(format!("package `{package}` has several binaries: {}", names.join(", ")))
                .hint("a function is its package's only binary, or the one with the package's name")
        })?;
        handlers.extend(programs.remove(&name).map(|path| (package, path)));
    }
    Ok(handlers)
}
