//! Prepares Node.js functions: copies the code, installs its packages with npm, and runs it by a
//! runtime client of our own. Lambda's own one has to be compiled when it is installed.

mod interpreter;
mod packages;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use sidestep_deploy::blueprint::Architecture;
use sidestep_local::lambda::Command;

use self::packages::{MODULES, Packages};
use crate::files::{code_files, copy, digest};
use crate::output::error::{CommandError, OrError as _};
use crate::project::Project;
use crate::settings::FunctionSettings;
use crate::stored_code::{Stored, lambda_digest};

/// The runtime client.
const BOOTSTRAP: &str = include_str!("bootstrap.mjs");

/// A Node.js function as `sidestep.toml` describes it.
#[derive(Debug)]
pub(crate) struct NodeFunction<'a> {
    pub(crate) name: &'a str,
    pub(crate) settings: &'a FunctionSettings,
    pub(crate) runtime: &'a str,
    /// The `N` of `nodejsN.x`.
    pub(crate) major: u32,
    pub(crate) handler: &'a str,
    pub(crate) path: &'a Path,
}

/// Copies a function's folder into the store, and returns how to run it.
pub(crate) fn stored(
    project: &Project,
    function: &NodeFunction<'_>,
) -> Result<Stored, CommandError> {
    let NodeFunction { name, settings, runtime, major, handler, path } = function;
    let source = project.folder.join(path);
    let packages = Packages::of(&source, &project.folder)?;
    let files = own_files(&source, project, packages.as_ref())?;
    let digest = digest(&source, &files)?;
    let interpreter = interpreter::interpreter(*major, name)?;
    let installed = packages.map(|packages| packages.installed(&interpreter, name)).transpose()?;
    let mut code = digest.to_vec();
    let content = installed.as_ref().map_or("", |installed| &installed.digest);
    let rest = [runtime, handler, &*interpreter.version, content];
    code.extend(format!("\0{}\0", rest.join("\0")).into_bytes());
    let store = project.state_folder().join("functions");
    // Copies with other packages are other folders, because the packages are found beside the code.
    let folder = store.join(hex::encode(Sha256::digest(&code)));
    copy(&source, &files, &folder)?;
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
        args: vec![bootstrap(&store)?.into()],
        working_dir: Some(folder),
        environment: settings.environment.clone(),
        runtime: (*runtime).to_owned(),
        handler: (*handler).to_owned(),
    };
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

/// Writes the runtime client into the store, once.
fn bootstrap(store: &Path) -> Result<PathBuf, CommandError> {
    let digest = hex::encode(Sha256::digest(BOOTSTRAP));
    let folder = store.join(format!("bootstrap-{}", &digest[..16]));
    let file = folder.join("bootstrap.mjs");
    if !file.exists() {
        let temporary = folder.join(format!("bootstrap.{}", std::process::id()));
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&temporary, BOOTSTRAP))
            .and_then(|()| fs::rename(&temporary, &file))
            .or_service(|| format!("could not write `{}`", file.display()))?;
    }
    Ok(file)
}
