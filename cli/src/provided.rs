//! Prepares functions whose folder holds a program named `bootstrap`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sidestep_local::lambda::Command;

use crate::files::{code_files, copy};
use crate::output::error::{CommandError, OrError as _, user};
use crate::project::Project;
use crate::settings::FunctionSettings;
use crate::stored_code::{FolderFunction, Stored, lambda_digest};

/// The program that Lambda starts.
const PROGRAM: &str = "bootstrap";

/// Copies a function's folder into the store, and returns how to run it.
pub(crate) fn stored(
    project: &Project,
    settings: &FunctionSettings,
    runtime: &str,
    path: &Path,
) -> Result<Stored, CommandError> {
    let source = project.folder.join(path);
    let files = code_files(&source, &project.folder)?;
    check(&source, files.iter().any(|file| file == Path::new(PROGRAM)), runtime)?;
    let store = project.state_folder().join("functions");
    let (digest, folder) = copy(&source, &files, |digest| store.join(hex::encode(digest)))?;
    let handler = settings.handler.as_deref().unwrap_or(PROGRAM);
    Ok(from_store(settings, (runtime, handler), folder, &digest))
}

/// Returns how to run a program that is in the store already.
pub(crate) fn unpacked(
    function: &FolderFunction<'_>,
    digest: &[u8; 32],
) -> Result<Stored, CommandError> {
    let FolderFunction { settings, runtime, handler, path, .. } = function;
    check(path, path.join(PROGRAM).is_file(), runtime)?;
    Ok(from_store(settings, (runtime, handler), (*path).to_owned(), digest))
}

/// Checks that a folder has the program, and that it may be executed.
fn check(folder: &Path, has_program: bool, runtime: &str) -> Result<(), CommandError> {
    let program = folder.join(PROGRAM);
    if !has_program {
        let problem = format!("there is no program `{}`", program.display());
        return Err(user(problem).hint(format!("runtime `{runtime}` starts it")));
    }
    let mode = fs::metadata(&program)
        .or_user(|| format!("could not read `{}`", program.display()))?
        .permissions()
        .mode();
    if mode & 0o111 == 0 {
        let problem = format!("`{}` may not be executed", program.display());
        return Err(user(problem).hint(format!("run `chmod +x {}`", program.display())));
    }
    Ok(())
}

fn from_store(
    settings: &FunctionSettings,
    (runtime, handler): (&str, &str),
    folder: PathBuf,
    digest: &[u8; 32],
) -> Stored {
    let command = Command {
        program: folder.join(PROGRAM),
        args: Vec::new(),
        working_dir: Some(folder),
        environment: settings.environment.clone(),
        runtime: runtime.to_owned(),
        handler: handler.to_owned(),
    };
    let mut code = digest.to_vec();
    code.extend(format!("\0{runtime}\0{handler}\0").into_bytes());
    Stored { command, sha256: lambda_digest(&code, settings) }
}
