//! One call of `cargo build`, and the environment that it gets.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::messages::Messages;
use crate::output::error::{CommandError, OrError as _, user};

/// A build: everything that cargo's result depends on, except what is in files.
#[derive(Debug, Clone)]
pub(super) struct Build {
    pub(super) folder: PathBuf,
    pub(super) cargo: OsString,
    pub(super) arguments: Vec<String>,
    pub(super) environment: BTreeMap<OsString, OsString>,
}

impl Build {
    /// Describes a build of `packages` in the profile that sidestep itself was built with, so that
    /// in a development tree both share what is compiled.
    pub(super) fn new(folder: &Path, packages: &[String]) -> Self {
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

    /// Runs cargo and returns its messages.
    pub(super) fn cargo(&self) -> Result<Messages, CommandError> {
        let mut command = Command::new(&self.cargo);
        command.current_dir(&self.folder).env_clear().envs(&self.environment).args(&self.arguments);
        command.arg("--message-format=json-render-diagnostics");
        // Cargo's progress goes to the terminal, its messages to this process.
        let output = command
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .or_user(|| "could not run `cargo` to build the functions")?;
        if !output.status.success() {
            return Err(user("cargo could not build the functions"));
        }
        Ok(Messages::parse(&output.stdout))
    }
}

/// Returns the variables without those that `cargo run` sets for the package of a program.
///
/// A build script that reads them (`ring`'s does) would run again each time a user alternates
/// between `cargo run` and another call, and everything that depends on it would be compiled again.
pub(crate) fn inherited(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> BTreeMap<OsString, OsString> {
    variables.filter(|(name, _)| !name.to_str().is_some_and(is_of_package)).collect()
}

/// Returns true if cargo sets the variable for each package, and for programs that `cargo run`
/// starts.
pub(super) fn is_of_package(name: &str) -> bool {
    let prefixes = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_NAME"];
    prefixes.iter().any(|prefix| name.starts_with(prefix))
        || ["CARGO_PRIMARY_PACKAGE", "OUT_DIR"].contains(&name)
}
