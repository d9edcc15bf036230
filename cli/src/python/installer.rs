//! Makes environments and installs packages: with uv, which takes a second, or with venv and pip.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::interpreter::Interpreter;
use super::machine::uv;
use crate::installer::{Failure, run};
use crate::output::error::CommandError;

/// Settings of pip and the names under which uv reads them.
const SETTINGS: [(&str, &str); 5] = [
    ("PIP_INDEX_URL", "UV_INDEX_URL"),
    ("PIP_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL"),
    ("PIP_FIND_LINKS", "UV_FIND_LINKS"),
    ("PIP_CERT", "SSL_CERT_FILE"),
    ("PIP_NO_INDEX", "UV_NO_INDEX"),
];

/// The tools of this machine.
#[derive(Debug)]
pub(super) struct Installer {
    uv: Option<PathBuf>,
    /// A Python whose pip installs into environments that have none.
    pip: Option<PathBuf>,
}

/// A tool that installs packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    Uv,
    Pip,
}

/// Adds to a call what is to be installed.
pub(super) type Install<'a> = &'a dyn Fn(Tool, &mut Command);

impl Installer {
    /// Returns the tools; `python` belongs to an environment that may have pip.
    pub(super) fn for_machine(python: Option<&Path>) -> Self {
        let has_pip = |python: &&Path| {
            let bin = python.parent().unwrap_or(python);
            bin.join("pip").is_file()
        };
        Self { uv: uv(), pip: python.filter(has_pip).map(Path::to_owned) }
    }

    /// Makes an environment in `folder` and installs packages into it.
    ///
    /// If uv cannot do it, pip is asked: it reads settings that uv does not know.
    pub(super) fn make(
        &self,
        interpreter: &Interpreter,
        folder: &Path,
        what: &str,
        doing: &str,
        install: Install<'_>,
    ) -> Result<(), CommandError> {
        eprintln!("{doing}, once ({})", if self.uv.is_some() { "uv" } else { "pip" });
        let failed = |tool: &str, failure: Failure| {
            failure.error(format!("{tool} could not install {what}"))
        };
        let Some(uv) = &self.uv else {
            self.create(interpreter, folder, doing)?;
            return self.pip(folder, doing, install).map_err(|why| failed("pip", why));
        };
        let mut create = Command::new(uv);
        create.args(["venv", "--quiet", "--no-project", "--python"]);
        create.arg(&interpreter.executable).arg(folder);
        let failure =
            match run(&mut create, doing).and_then(|()| self.install(folder, doing, install)) {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
        tracing::debug!(words = failure.words, "uv failed, so pip is asked");
        let with_pip = Self { uv: None, pip: self.pip.clone() };
        let retried = with_pip.create(interpreter, folder, doing).is_ok()
            && with_pip.pip(folder, doing, install).is_ok();
        if retried { Ok(()) } else { Err(failed("uv", failure)) }
    }

    /// Installs more into an environment.
    pub(super) fn install(
        &self,
        folder: &Path,
        doing: &str,
        install: Install<'_>,
    ) -> Result<(), Failure> {
        let Some(uv) = &self.uv else { return self.pip(folder, doing, install) };
        let mut command = Command::new(uv);
        command.args(["pip", "install", "--python"]).arg(folder.join("bin").join("python"));
        for (of_pip, of_uv) in SETTINGS {
            if let (Some(value), None) = (env::var_os(of_pip), env::var_os(of_uv)) {
                command.env(of_uv, value);
            }
        }
        install(Tool::Uv, &mut command);
        run(&mut command, doing)
    }

    fn pip(&self, folder: &Path, doing: &str, install: Install<'_>) -> Result<(), Failure> {
        let python = folder.join("bin").join("python");
        let mut command = Command::new(self.pip.as_ref().unwrap_or(&python));
        command.args(["-m", "pip"]);
        if self.pip.is_some() {
            command.arg("--python").arg(&python);
        }
        command.args(["install", "--disable-pip-version-check", "--no-input"]);
        install(Tool::Pip, &mut command);
        run(&mut command, doing)
    }

    /// Makes an environment with venv.
    fn create(
        &self,
        interpreter: &Interpreter,
        folder: &Path,
        doing: &str,
    ) -> Result<(), CommandError> {
        let mut create = Command::new(&interpreter.program);
        create.args(["-m", "venv", "--clear"]);
        if self.pip.is_some() {
            create.arg("--without-pip");
        }
        run(create.arg(folder), doing).map_err(|why| {
            let hint = format!(
                "install the package `python3-venv` for Python {}, or uv",
                interpreter.version
            );
            let problem = format!("`{}` cannot make an environment", interpreter.program.display());
            why.error(problem).hint(hint)
        })
    }
}
