//! Prepares Python functions: copies the code and makes an environment to run it.

mod environment;
mod installer;
mod interpreter;
mod job;
mod machine;
mod requirements;
mod vendored;

use sidestep_core::plan::lease::SDK_VARIABLE;
use sidestep_local::lambda::Command;

pub(crate) use job::{JobPython, job_python};
pub(crate) use requirements::Requirements;
pub(crate) use vendored::vendored;

use self::interpreter::Interpreter;
use crate::files::{code_files, copy};
use crate::output::error::CommandError;
use crate::project::Project;
use crate::stored_code::{FolderFunction, Stored, lambda_digest, runtime_client};

/// The program that starts Lambda's runtime client.
const BOOTSTRAP: &str = include_str!("bootstrap.py");

/// Copies a Python function's folder into the store, and returns how to run it.
///
/// The digest covers all that runs: the files, the packages that were installed for them, and the
/// version of the interpreter. What Lambda's runtimes bring is not part of it, as on Lambda.
pub(crate) fn stored(
    project: &Project,
    function: &FolderFunction<'_>,
) -> Result<Stored, CommandError> {
    let FolderFunction { name, settings, runtime, version, handler, path } = function;
    let source = project.folder.join(path);
    let files = code_files(&source, &project.folder)?;
    let requirements = Requirements::of(&source, &project.folder)?;
    let interpreter =
        interpreter::interpreter(*version, &project.folder, &format!("function `{name}`"))?;
    let brought = environment::brought(&interpreter)?;
    let note = requirements::note(&source, requirements.as_ref());
    let make = |requirements| {
        environment::own(&interpreter, &brought, requirements, name, note.as_deref())
    };
    let own = requirements.as_ref().map(make).transpose()?;
    // Beside requirements it is told when they are installed.
    if let (Some(note), None) = (&note, &own) {
        eprintln!("note: function `{name}`: {note}");
    }
    let store = project.state_folder().join("functions");
    let (digest, folder) = copy(&source, &files, |digest| store.join(hex::encode(digest)))?;
    let mut environment = settings.environment.clone();
    if requirements.as_ref().is_some_and(Requirements::has_sdk) {
        environment.insert(SDK_VARIABLE.to_owned(), "1".to_owned());
    }
    let program = own.as_ref().map_or(&brought.python, |own| &own.python).clone();
    let command = Command {
        program,
        args: vec![
            runtime_client(&store, "bootstrap.py", BOOTSTRAP)?.into(),
            brought.packages.into(),
        ],
        working_dir: Some(folder),
        environment,
        runtime: (*runtime).to_owned(),
        handler: (*handler).to_owned(),
    };
    let packages = own.map_or_else(String::new, |own| own.digest);
    let code = code_of(&digest, function, &interpreter, &packages);
    Ok(Stored { command, sha256: lambda_digest(&code, settings) })
}

/// Returns how to run code that is in the store already, with what Lambda's runtimes bring alone.
pub(crate) fn unpacked(
    project: &Project,
    function: &FolderFunction<'_>,
    digest: &[u8; 32],
) -> Result<Stored, CommandError> {
    let FolderFunction { name, settings, runtime, version, handler, path } = function;
    let interpreter =
        interpreter::interpreter(*version, &project.folder, &format!("function `{name}`"))?;
    let brought = environment::brought(&interpreter)?;
    let store = project.state_folder().join("functions");
    let command = Command {
        program: brought.python,
        args: vec![
            runtime_client(&store, "bootstrap.py", BOOTSTRAP)?.into(),
            brought.packages.into(),
        ],
        working_dir: Some((*path).to_owned()),
        environment: settings.environment.clone(),
        runtime: (*runtime).to_owned(),
        handler: (*handler).to_owned(),
    };
    let code = code_of(digest, function, &interpreter, "");
    Ok(Stored { command, sha256: lambda_digest(&code, settings) })
}

/// Returns what the digest of a function's code is made of.
fn code_of(
    digest: &[u8; 32],
    function: &FolderFunction<'_>,
    interpreter: &Interpreter,
    packages: &str,
) -> Vec<u8> {
    let FolderFunction { runtime, handler, .. } = function;
    let on_path = interpreter.on_path.as_deref().unwrap_or_default();
    let rest = [*runtime, *handler, &*interpreter.version, on_path, packages];
    let mut code = digest.to_vec();
    code.extend(format!("\0{}\0", rest.join("\0")).into_bytes());
    code
}
