//! The project's Rust packages: built by one call of cargo, which is left out while the record of the last build still holds.

mod messages;
mod record;

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use self::messages::{Messages, Program};
use self::record::Record;
use crate::error::user;
use crate::sdk::packages_with_sdk;

/// A built program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Binary {
    pub(crate) path: PathBuf,
    /// SHA-256, which is not computed again while size and time of the file stay.
    pub(crate) sha256: [u8; 32],
    /// Whether it is built on the step SDK.
    pub(crate) has_sdk: bool,
}

/// A build that somebody wants: all that cargo's answer depends on, except what is in files.
#[derive(Debug, Clone)]
struct Build {
    folder: PathBuf,
    cargo: OsString,
    arguments: Vec<String>,
    environment: BTreeMap<OsString, OsString>,
}

/// The binaries of these packages, by package. What was built is remembered in the file `record`.
pub(crate) fn binaries(
    folder: &Path,
    packages: &[String],
    record: &Path,
) -> anyhow::Result<BTreeMap<String, Binary>> {
    if packages.is_empty() {
        return Ok(BTreeMap::new());
    }
    Build::new(folder, packages).run(record)
}

impl Build {
    /// The profile is the one that sidestep itself was built with, so that in a development tree both share what is compiled.
    fn new(folder: &Path, packages: &[String]) -> Self {
        let mut arguments = vec!["build".to_owned()];
        if !cfg!(debug_assertions) {
            arguments.push("--release".to_owned());
        }
        let packages =
            packages.iter().flat_map(|package| ["--package".to_owned(), package.clone()]);
        arguments.extend(packages);
        Self {
            folder: folder.to_owned(),
            cargo: env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")),
            arguments,
            environment: inherited(env::vars_os()),
        }
    }

    fn run(&self, path: &Path) -> anyhow::Result<BTreeMap<String, Binary>> {
        if let Some(record) = Record::read(path).filter(|record| record.holds(self)) {
            return Ok(record.binaries);
        }
        let started = SystemTime::now();
        let messages = self.cargo()?;
        let with_sdk = packages_with_sdk(&self.folder);
        let mut binaries = BTreeMap::new();
        for (package, path) in handlers(messages.programs())? {
            let bytes =
                fs::read(&path).with_context(|| format!("could not read `{}`", path.display()))?;
            let sha256 = Sha256::digest(&bytes).into();
            let has_sdk = with_sdk.contains(&package);
            binaries.insert(package, Binary { path, sha256, has_sdk });
        }
        // Without a record cargo is asked again the next time, which is slower and as right.
        if let Some(record) = Record::of(self, started, &messages, binaries.clone()) {
            record.write(path)?;
        } else {
            tracing::debug!("this build cannot be told fresh without cargo");
        }
        Ok(binaries)
    }

    fn cargo(&self) -> anyhow::Result<Messages> {
        let mut command = Command::new(&self.cargo);
        command.current_dir(&self.folder).env_clear().envs(&self.environment).args(&self.arguments);
        command.arg("--message-format=json-render-diagnostics");
        // Cargo's own progress goes to the terminal; what it says to programs comes to us.
        let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
        let output =
            output.with_context(|| user("could not run `cargo` to build the functions"))?;
        if !output.status.success() {
            bail!(user("cargo could not build the functions"));
        }
        Ok(Messages::parse(&output.stdout))
    }
}

/// Of each package the program that is its function: its only one, or the one that has the package's name.
fn handlers(programs: Vec<Program>) -> anyhow::Result<BTreeMap<String, PathBuf>> {
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

/// Which of a package's binaries is its function.
pub(crate) fn handler<'a>(package: &str, names: &[&'a str]) -> Option<&'a str> {
    match names {
        [name] => Some(name),
        names => names.iter().copied().find(|name| *name == package),
    }
}

/// What `cargo run` tells a program about its own package is no part of another build: a build script that heeds it (`ring`'s does)
/// would run again each time the two kinds of call take turns, and all that depends on it would be compiled again.
pub(crate) fn inherited(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> BTreeMap<OsString, OsString> {
    variables.filter(|(name, _)| !name.to_str().is_some_and(record::is_of_package)).collect()
}

#[cfg(test)]
mod tests;
