//! Finds the Python that runs a function: the one that `runtime` names, else the one that is there.
//!
//! Asking interpreters for their versions takes longer than the rest of a repeated run, so the
//! answer is kept together with a digest of everything that it depends on.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::machine::{is_script, pyenv, stamp, uv};
use crate::cache_folder::{cache_folder, read};
use crate::output::error::{CommandError, user};

/// The oldest Python, `3.N`, for which Lambda's runtime client is made.
const OLDEST: u32 = 9;
/// The newest `3.N` that is looked for if the right one is missing.
const NEWEST: u32 = 15;

/// A Python on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Interpreter {
    /// How it is called.
    pub(super) program: PathBuf,
    /// The file that runs in the end.
    pub(super) executable: PathBuf,
    /// `3.12.1`.
    pub(super) version: String,
    /// The version of the `python3` on the path, which a function may start by itself.
    pub(super) on_path: Option<String>,
}

/// Returns the interpreter for `python3.MINOR`. A note tells once if it has another version.
///
/// `needed_by` is what the note is about, such as "function `f`".
pub(super) fn interpreter(
    minor: u32,
    project: &Path,
    needed_by: &str,
) -> Result<Interpreter, CommandError> {
    let path = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    let search = Search { minor, project, path, pyenv: pyenv(), uv: uv() };
    let inputs = search.inputs().map(|inputs| format!("{inputs}.json"));
    let record = match inputs {
        Some(name) => Some(cache_folder()?.join("found").join(name)),
        None => None,
    };
    if let Some(known) = record.as_deref().and_then(read) {
        return Ok(known);
    }
    let found = search.find(needed_by)?;
    if let Some(record) = record {
        let text = serde_json::to_string(&found).expect("paths and texts serialize");
        // Without the record the next run asks again.
        let _ = record.parent().map(fs::create_dir_all);
        let _ = fs::write(record, text);
    }
    Ok(found)
}

/// Where an interpreter is looked for.
#[derive(Debug)]
struct Search<'a> {
    minor: u32,
    project: &'a Path,
    path: Vec<PathBuf>,
    pyenv: Option<PathBuf>,
    uv: Option<PathBuf>,
}

impl Search<'_> {
    fn find(&self, needed_by: &str) -> Result<Interpreter, CommandError> {
        let default = self.on_path("python3").find_map(|program| self.ask(program));
        let on_path = default.as_ref().map(|default| default.version.clone());
        let is_right = |found: &Interpreter| minor_of(&found.version) == Some(self.minor);
        let right = default
            .clone()
            .into_iter()
            .chain(self.named(self.minor))
            .find(is_right)
            .or_else(|| self.of_uv().filter(is_right))
            .filter(|_| self.minor >= OLDEST);
        if let Some(found) = right {
            return Ok(Interpreter { on_path, ..found });
        }
        let is_new = |found: &Interpreter| minor_of(&found.version) >= Some(OLDEST);
        let newest = || (OLDEST..=NEWEST).rev().flat_map(|minor| self.named(minor));
        let other = default.clone().into_iter().chain(newest()).find(is_new);
        if let Some(found) = other {
            eprintln!(
                "note: {needed_by} has runtime `python3.{}`, which is not on this machine: Python {} runs it",
                self.minor, found.version
            );
            return Ok(Interpreter { on_path, ..found });
        }
        let hint = format!("install Python 3.{}, or uv, which brings it", self.minor);
        let problem = match on_path {
            Some(version) => format!(
                "Python {version} is too old: expected Python 3.{}, or 3.{OLDEST} at least",
                self.minor
            ),
            None => "python3 is not installed".to_owned(),
        };
        Err(user(problem).hint(hint))
    }

    /// Returns the programs of this name on the path.
    fn on_path(&self, name: &str) -> impl Iterator<Item = PathBuf> {
        let files: Vec<_> = self.path.iter().map(|folder| folder.join(name)).collect();
        files.into_iter().filter(|file| file.is_file())
    }

    /// Returns the interpreters of a version that the path and pyenv have.
    fn named(&self, minor: u32) -> impl Iterator<Item = Interpreter> {
        let name = format!("python3.{minor}");
        let mut of_pyenv: Vec<_> = self
            .pyenv
            .as_ref()
            .and_then(|root| fs::read_dir(root.join("versions")).ok())
            .into_iter()
            .flatten()
            .flatten()
            .map(|version| version.path().join("bin").join(&name))
            .filter(|file| file.is_file())
            .collect();
        of_pyenv.sort();
        let all: Vec<_> = self.on_path(&name).chain(of_pyenv.into_iter().rev()).collect();
        all.into_iter().filter_map(|program| self.ask(program))
    }

    /// Returns an interpreter that uv has or fetches.
    fn of_uv(&self) -> Option<Interpreter> {
        let uv = self.uv.as_ref()?;
        let version = format!("3.{}", self.minor);
        let call = |arguments: &[&str]| {
            let mut command = Command::new(uv);
            command.args(arguments).arg(&version).current_dir(self.project);
            command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()
        };
        let find = || {
            let output = call(&["python", "find", "--no-project"])?;
            let path = String::from_utf8(output.stdout).ok()?.trim().to_owned();
            (output.status.success() && !path.is_empty()).then_some(path)
        };
        let found = find().or_else(|| {
            eprintln!("installing Python {version} with uv, once");
            call(&["python", "install"]).filter(|output| output.status.success())?;
            find()
        });
        self.ask(found?.into())
    }

    /// Asks a program what it is; one that does not work is passed over, like pyenv's stand-in for
    /// a version that is not chosen.
    fn ask(&self, program: PathBuf) -> Option<Interpreter> {
        let code = "import sys; print(getattr(sys, '_base_executable', None) or sys.executable); \
            print('.'.join(map(str, sys.version_info[:3])))";
        let mut command = Command::new(&program);
        command.args(["-c", code]).current_dir(self.project);
        let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
        let mut lines = text.lines();
        let executable = PathBuf::from(lines.next()?);
        let version = lines.next()?.to_owned();
        // In another folder pyenv's stand-in may be another version.
        let is_shim = program.parent() == self.shims().as_deref();
        let program = if is_shim { executable.clone() } else { program };
        Some(Interpreter { program, executable, version, on_path: None })
    }

    /// Returns the folder of the programs that pyenv puts on the path.
    fn shims(&self) -> Option<PathBuf> {
        self.pyenv.as_ref().map(|root| root.join("shims"))
    }

    /// Returns a digest of everything that the answer depends on, or `None` if that is unknown.
    fn inputs(&self) -> Option<String> {
        let mut hash = Sha256::new();
        let mut take = |text: &str| hash.update(format!("{text}\0"));
        take(&self.minor.to_string());
        let shims = self.shims();
        for name in ["python3".to_owned(), format!("python3.{}", self.minor), "uv".to_owned()] {
            for file in self.on_path(&name) {
                let is_shim = file.parent() == shims.as_deref();
                // A script may do something else each time.
                if !is_shim && is_script(&file) {
                    return None;
                }
                take(&stamp(&file));
            }
        }
        if let Some(root) = &self.pyenv {
            take(&env::var("PYENV_VERSION").unwrap_or_default());
            take(&stamp(&root.join("versions")));
            take(&fs::read_to_string(root.join("version")).unwrap_or_default());
            for folder in self.project.ancestors() {
                take(&fs::read_to_string(folder.join(".python-version")).unwrap_or_default());
            }
        }
        for name in ["UV_PYTHON_INSTALL_DIR", "UV_PYTHON_DOWNLOADS", "UV_OFFLINE"] {
            take(&env::var(name).unwrap_or_default());
        }
        Some(hex::encode(hash.finalize()))
    }
}

/// Returns the `N` of `3.N.M`.
pub(super) fn minor_of(version: &str) -> Option<u32> {
    version.strip_prefix("3.")?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    /// Makes programs that answer like an interpreter.
    fn machine(programs: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, version) in programs {
            let file = folder.path().join(name);
            let text = format!("#!/bin/sh\necho {}\necho {version}\n", file.display());
            fs::write(&file, if version.is_empty() { "#!/bin/sh\nexit 127\n" } else { &text })
                .expect("written");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("set");
        }
        folder
    }

    #[test]
    fn the_right_python_is_preferred_and_an_old_one_is_refused() {
        type Case<'a> = (&'a [(&'a str, &'a str)], Result<&'a str, &'a str>);
        let cases: [Case<'_>; 6] = [
            (&[("python3", "3.14.2"), ("python3.14", "3.14.0")], Ok("3.14.2 3.14.2")),
            (&[("python3", "3.11.7"), ("python3.14", "3.14.0")], Ok("3.14.0 3.11.7")),
            (&[("python3", "3.11.7"), ("python3.14", "")], Ok("3.11.7 3.11.7")),
            (&[("python3", "3.6.15"), ("python3.12", "3.12.1")], Ok("3.12.1 3.6.15")),
            (&[("python3", "3.6.15")], Err("Python 3.6.15 is too old")),
            (&[], Err("python3 is not installed")),
        ];
        for (programs, expected) in cases {
            let machine = machine(programs);
            let folder = machine.path();
            let path = vec![folder.to_owned()];
            let search = Search { minor: 14, project: folder, path, pyenv: None, uv: None };
            match (search.find("f"), expected) {
                (Ok(found), Ok(versions)) => {
                    let on_path = found.on_path.expect("there is a python3");
                    assert_eq!(format!("{} {on_path}", found.version), versions, "{programs:?}");
                }
                (Err(problem), Err(words)) => {
                    assert!(problem.one_line().contains(words), "{}", problem.one_line());
                }
                (found, _) => panic!("{programs:?}: {found:?}"),
            }
            let is_known = search.inputs().is_some();
            assert_eq!(is_known, programs.is_empty(), "scripts are asked each time");
        }
    }

    #[test]
    fn an_answer_holds_until_what_it_depends_on_changes() {
        let machine = tempfile::tempdir().expect("a folder");
        let (folder, pyenv) = (machine.path(), machine.path().join("pyenv"));
        fs::create_dir_all(pyenv.join("versions")).expect("created");
        let path = vec![folder.to_owned()];
        let search =
            Search { minor: 14, project: folder, path, pyenv: Some(pyenv.clone()), uv: None };
        let mut known = vec![search.inputs()];
        assert_eq!(search.inputs(), known[0]);
        for (file, text) in [
            (folder.join("python3"), "ELF"),
            (folder.join("python3"), "ELF of another version"),
            (pyenv.join("version"), "3.12.1"),
            (folder.join(".python-version"), "3.13"),
        ] {
            fs::write(file, text).expect("written");
            let now = search.inputs();
            assert!(now.is_some() && !known.contains(&now), "{text}");
            known.push(now);
        }
    }
}
