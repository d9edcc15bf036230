//! Environments of Python: one for each set of requirements and interpreter on this machine, shared
//! by all projects.
//!
//! What Lambda itself brings (its runtime client, boto3) is installed apart from a function's own
//! packages. Neither limits the versions of the other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::installer::{Installer, Tool};
use super::interpreter::{Interpreter, minor_of};
use super::requirements::Requirements;
use crate::cache_folder::{cache_folder, made_once};
use crate::files::installed_files;
use crate::output::error::{CommandError, OrError as _, service};

/// What Lambda's runtimes bring: its own runtime client, which speaks the Runtime API, and boto3.
const BROUGHT: [&str; 2] = ["awslambdaric==4.2.2", "boto3==1.44.5"];

/// The newest ones for Python 3.9.
const BROUGHT_BEFORE_3_10: [&str; 2] = ["awslambdaric>=3,<4", "boto3<1.44"];

/// What the scripts of jobs install packages with.
const JOB_TOOLS: [&str; 3] = ["pip>=23", "setuptools<81", "wheel"];

/// An environment that is complete.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Environment {
    pub(super) python: PathBuf,
    /// The folder of the installed packages.
    pub(super) packages: PathBuf,
    /// The digest of the installed packages, in hexadecimal.
    pub(super) digest: String,
}

impl Environment {
    fn is_whole(&self) -> bool {
        self.python.is_file() && self.packages.is_dir()
    }
}

/// Returns the environment of what Lambda's runtimes bring.
pub(super) fn brought(interpreter: &Interpreter) -> Result<Environment, CommandError> {
    let is_old = minor_of(&interpreter.version) < Some(10);
    let names = if is_old { BROUGHT_BEFORE_3_10 } else { BROUGHT };
    let folder = folder(interpreter, "lambda", names.join(" ").as_bytes())?;
    made_once(&folder, Environment::is_whole, || {
        let installer = Installer::for_machine(None);
        let doing = format!(
            "installing Lambda's runtime client and boto3 for Python {}",
            interpreter.version
        );
        let what = "Lambda's runtime client and boto3";
        let install = |tool: Tool, command: &mut Command| {
            command.args(names);
            // It is imported while a function initialises, for which there is little time.
            if tool == Tool::Uv {
                command.arg("--compile-bytecode");
            } else {
                // Older ones cannot install into another environment.
                command.arg("pip>=23");
            }
        };
        installer.make(interpreter, &folder, what, &doing, &install)?;
        complete(&folder)
    })
}

/// Returns the environment with a function's own packages.
pub(super) fn own(
    interpreter: &Interpreter,
    brought: &Environment,
    requirements: &Requirements,
    function: &str,
    note: Option<&str>,
) -> Result<Environment, CommandError> {
    let folder = folder(interpreter, "packages", requirements.digest())?;
    made_once(&folder, Environment::is_whole, || {
        if let Some(note) = note {
            eprintln!("note: function `{function}`: {note}");
        }
        let temporary = tempfile::tempdir().or_service(|| "could not make a temporary folder")?;
        // Links on the way to it would be other paths for some tools.
        let copies = fs::canonicalize(temporary.path())?;
        let file = requirements.write(&copies)?;
        let installer = Installer::for_machine(Some(&brought.python));
        let doing = format!("installing the packages of function `{function}`");
        let what = format!("`{}`", requirements.file.display());
        let install = |tool: Tool, command: &mut Command| {
            command.current_dir(&copies).arg("-r").arg(&file);
            // Python compiles what is imported; compiling all takes longer than fetching it.
            if tool == Tool::Pip {
                command.arg("--no-compile");
            }
        };
        installer.make(interpreter, &folder, &what, &doing, &install)?;
        complete_sdk(&installer, &folder)?;
        complete(&folder)
    })
}

/// Returns the environment of jobs: these requirements, and the tools that scripts install with.
pub(super) fn of_jobs(
    interpreter: &Interpreter,
    packages: &[String],
    image: &str,
) -> Result<Environment, CommandError> {
    let folder = folder(interpreter, "jobs", packages.join("\n").as_bytes())?;
    made_once(&folder, Environment::is_whole, || {
        let installer = Installer::for_machine(None);
        let doing = format!("installing the packages of image `{image}`");
        let what = format!("the packages of image `{image}`");
        let install = |tool: Tool, command: &mut Command| {
            command.args(JOB_TOOLS).args(packages);
            // Each job would compile them again.
            if tool == Tool::Uv {
                command.arg("--compile-bytecode");
            }
        };
        installer.make(interpreter, &folder, &what, &doing, &install)?;
        complete(&folder)
    })
}

/// Returns the folder of an environment for `content`.
fn folder(interpreter: &Interpreter, kind: &str, content: &[u8]) -> Result<PathBuf, CommandError> {
    let mut hash = Sha256::new();
    hash.update(format!("{}\0{}\0", interpreter.executable.display(), interpreter.version));
    hash.update(content);
    let name = format!("{kind}-{}-{}", interpreter.version, &hex::encode(hash.finalize())[..24]);
    Ok(cache_folder()?.join("python").join(name))
}

/// Adds the boto3 that belongs to the botocore which a package such as s3fs asks for. The one that
/// sidestep brings may be too new for it.
fn complete_sdk(installer: &Installer, folder: &Path) -> Result<(), CommandError> {
    let packages = packages(folder)?;
    let has = |name: &str| packages.join(name).is_dir();
    if !has("botocore") || has("boto3") {
        return Ok(());
    }
    let version = distributions(&packages)?.into_iter().find_map(|name| {
        Some(name.strip_prefix("botocore-")?.strip_suffix(".dist-info")?.to_owned())
    });
    let Some(version) = version else { return Ok(()) };
    let needs = [format!("botocore=={version}"), format!("boto3<={version}")];
    let doing = "installing the boto3 that belongs to it";
    // Without it a function that imports boto3 says so itself.
    let install = |_: Tool, command: &mut Command| {
        command.args(&needs);
    };
    if let Err(failure) = installer.install(folder, doing, &install) {
        tracing::debug!(words = failure.words, "no boto3 was found for this botocore");
    }
    Ok(())
}

/// Returns what is in an environment that has just been made.
fn complete(folder: &Path) -> Result<Environment, CommandError> {
    let packages = packages(folder)?;
    let mut hash = Sha256::new();
    for name in distributions(&packages)? {
        hash.update(format!("{name}\0"));
        let record = fs::read_to_string(packages.join(&name).join("RECORD")).unwrap_or_default();
        for line in record.lines().filter(|line| is_content(line)) {
            hash.update(format!("{line}\n"));
            if let Some(file) = without_digest(line) {
                hash.update(Sha256::digest(fs::read(packages.join(file)).unwrap_or_default()));
            }
        }
    }
    let digest = hex::encode(hash.finalize());
    Ok(Environment { python: folder.join("bin").join("python"), packages, digest })
}

/// Returns true if a line of a `RECORD` is about what the package does, and not about who installed
/// it where.
fn is_content(line: &str) -> bool {
    let path = Path::new(line.split(',').next().unwrap_or_default());
    let notes =
        ["INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json", "uv_build.json"];
    let is_note = notes.iter().any(|name| path.ends_with(name));
    let is_compiled = path.extension().is_some_and(|ending| ending == "pyc");
    !path.starts_with("..") && !is_compiled && !is_note
}

/// Returns the path in a line of a `RECORD` that has no digest (`PATH,sha256=DIGEST,SIZE`). Not
/// every tool that builds wheels writes them.
fn without_digest(line: &str) -> Option<&str> {
    let (rest, _size) = line.rsplit_once(',')?;
    let (path, digest) = rest.rsplit_once(',')?;
    digest.is_empty().then(|| path.trim_matches('"'))
}

/// Returns the folder into which an environment's packages are installed.
fn packages(folder: &Path) -> Result<PathBuf, CommandError> {
    let lib = folder.join("lib");
    let entries =
        fs::read_dir(&lib).or_service(|| format!("could not read `{}`", lib.display()))?;
    let folders = entries.flatten().map(|entry| entry.path().join("site-packages"));
    let mut found = folders.filter(|path| path.is_dir());
    found.next().ok_or_else(|| service(format!("`{}` has no packages", folder.display())))
}

/// Returns the names of the folders that describe what is installed, sorted.
fn distributions(packages: &Path) -> Result<Vec<String>, CommandError> {
    let mut names: Vec<_> = installed_files(packages)?
        .iter()
        .filter_map(|file| file.parent()?.to_str().filter(|name| name.ends_with(".dist-info")))
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_packages_differ_by_content_that_their_records_do_not_digest() {
        let digest = |text: &str| {
            let folder = tempfile::tempdir().expect("a folder");
            let packages = folder.path().join("lib/python3.13/site-packages");
            fs::create_dir_all(packages.join("a-1.dist-info")).expect("created");
            fs::write(packages.join("a.py"), text).expect("written");
            let record = "a.py,,\nb.py,sha256=x,1\na-1.dist-info/RECORD,,\n";
            fs::write(packages.join("a-1.dist-info/RECORD"), record).expect("written");
            complete(folder.path()).expect("complete").digest
        };
        assert_eq!(digest("1"), digest("1"));
        assert_ne!(digest("1"), digest("2"));
    }
}
