//! Prepares Node.js functions: copies the code, installs its packages with npm, and runs it by a
//! runtime client of our own. Lambda's own one has to be compiled when it is installed.

mod interpreter;
mod packages;

use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use sidestep_deploy::blueprint::Architecture;
use sidestep_local::lambda::Command;

use self::packages::{MODULES, Packages};
use crate::files::{code_files, copy};
use crate::output::error::{CommandError, OrError as _};
use crate::project::Project;
use crate::stored_code::{FolderFunction, Stored, lambda_digest, runtime_client};

/// The runtime client.
const BOOTSTRAP: &str = include_str!("bootstrap.mjs");

/// Copies a function's folder into the store, and returns how to run it.
pub(crate) fn stored(
    project: &Project,
    function: &FolderFunction<'_>,
) -> Result<Stored, CommandError> {
    let FolderFunction { name, settings, runtime, version, handler, path } = function;
    let source = project.folder.join(path);
    let packages = Packages::of(&source, &project.folder)?;
    let files = own_files(&source, project, packages.as_ref())?;
    let interpreter = interpreter::interpreter(*version, name)?;
    let installed = packages.map(|packages| packages.installed(&interpreter, name)).transpose()?;
    let content = installed.as_ref().map_or("", |installed| &installed.digest);
    let rest = [runtime, handler, &*interpreter.version, content].join("\0");
    let code = |digest: &[u8; 32]| [digest.as_slice(), b"\0", rest.as_bytes(), b"\0"].concat();
    let store = project.state_folder().join("functions");
    // Copies with other packages are other folders, because the packages are found beside the code.
    let place = |digest: &[u8; 32]| store.join(hex::encode(Sha256::digest(code(digest))));
    let (digest, folder) = copy(&source, &files, place)?;
    if let Some(installed) = installed {
        match symlink(&installed.modules, folder.join(MODULES)) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(error).or_service(|| format!("could not write `{}`", folder.display()));
            }
            _ => {}
        }
    }
    let command = Command {
        program: interpreter.program,
        args: vec![runtime_client(&store, "bootstrap.mjs", BOOTSTRAP)?.into()],
        working_dir: Some(folder),
        environment: settings.environment.clone(),
        runtime: (*runtime).to_owned(),
        handler: (*handler).to_owned(),
    };
    Ok(Stored { command, sha256: lambda_digest(&code(&digest), settings) })
}

/// Returns how to run code that is in the store already, with the packages that it has.
pub(crate) fn unpacked(
    project: &Project,
    function: &FolderFunction<'_>,
    digest: &[u8; 32],
) -> Result<Stored, CommandError> {
    let FolderFunction { name, settings, runtime, version, handler, path } = function;
    let interpreter = interpreter::interpreter(*version, name)?;
    let store = project.state_folder().join("functions");
    let code = format!("\0{runtime}\0{}\0", interpreter.version);
    let command = Command {
        program: interpreter.program,
        args: vec![runtime_client(&store, "bootstrap.mjs", BOOTSTRAP)?.into()],
        working_dir: Some((*path).to_owned()),
        environment: settings.environment.clone(),
        runtime: (*runtime).to_owned(),
        handler: (*handler).to_owned(),
    };
    let code = [digest.as_slice(), code.as_bytes(), handler.as_bytes()].concat();
    Ok(Stored { command, sha256: lambda_digest(&code, settings) })
}

/// Returns the files of the function itself. What npm installed beside them is installed anew.
pub(crate) fn code(folder: &Path, project: &Project) -> Result<Vec<PathBuf>, CommandError> {
    let packages = Packages::of(folder, &project.folder)?;
    own_files(folder, project, packages.as_ref())
}

/// Installs the packages for Lambda into a folder below `store`, once, and returns the folder.
pub(crate) fn vendored(
    folder: &Path,
    project: &Project,
    architecture: Architecture,
    store: &Path,
) -> Result<Option<PathBuf>, CommandError> {
    let packages = Packages::of(folder, &project.folder)?;
    packages.map(|packages| packages.for_lambda(architecture, store)).transpose()
}

fn own_files(
    folder: &Path,
    project: &Project,
    packages: Option<&Packages>,
) -> Result<Vec<PathBuf>, CommandError> {
    let mut files = code_files(folder, &project.folder)?;
    if packages.is_some() {
        files.retain(|file| !file.starts_with(MODULES));
    }
    Ok(files)
}
