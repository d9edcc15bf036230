//! Prepares Python functions: copies the code and makes an environment to run it.

mod environment;
mod installer;
mod interpreter;
mod machine;
mod requirements;
mod vendored;

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use sidestep_core::plan::lease::SDK_VARIABLE;
use sidestep_local::lambda::Command;

pub(crate) use requirements::Requirements;
pub(crate) use vendored::vendored;

use crate::files::{code_files, copy, digest};
use crate::output::error::{CommandError, OrError as _};
use crate::project::Project;
use crate::settings::FunctionSettings;
use crate::stored_code::{Stored, lambda_digest};

/// The program that starts Lambda's runtime client.
const BOOTSTRAP: &str = include_str!("bootstrap.py");

/// A Python function as `sidestep.toml` describes it.
#[derive(Debug)]
pub(crate) struct PythonFunction<'a> {
    pub(crate) name: &'a str,
    pub(crate) settings: &'a FunctionSettings,
    pub(crate) runtime: &'a str,
    /// The `N` of `python3.N`.
    pub(crate) minor: u32,
    pub(crate) handler: &'a str,
    pub(crate) path: &'a Path,
}

/// Copies a Python function's folder into the store, and returns how to run it.
///
/// The digest covers all that runs: the files, the packages that were installed for them, and the
/// version of the interpreter. What Lambda's runtimes bring is not part of it, as on Lambda.
pub(crate) fn stored(
    project: &Project,
    function: &PythonFunction<'_>,
) -> Result<Stored, CommandError> {
    let PythonFunction { name, settings, runtime, minor, handler, path } = function;
    let source = project.folder.join(path);
    let files = code_files(&source, &project.folder)?;
    let digest = digest(&source, &files)?;
    let requirements = Requirements::of(&source, &project.folder)?;
    let interpreter = interpreter::interpreter(*minor, &project.folder, name)?;
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
    let folder = store.join(hex::encode(digest));
    copy(&source, &files, &folder)?;
    let mut environment = settings.environment.clone();
    if requirements.as_ref().is_some_and(Requirements::has_sdk) {
        environment.insert(SDK_VARIABLE.to_owned(), "1".to_owned());
    }
    let program = own.as_ref().map_or(&brought.python, |own| &own.python).clone();
    let command = Command {
        program,
        args: vec![bootstrap(&store)?.into(), brought.packages.into()],
        working_dir: Some(folder),
        environment,
        runtime: (*runtime).to_owned(),
        handler: (*handler).to_owned(),
    };
    let mut code = digest.to_vec();
    let packages = own.map_or_else(String::new, |own| own.digest);
    let on_path = interpreter.on_path.unwrap_or_default();
    let rest = [runtime, handler, &*interpreter.version, &*on_path, &*packages];
    code.extend(format!("\0{}\0", rest.join("\0")).into_bytes());
    Ok(Stored { command, sha256: lambda_digest(&code, settings) })
}

/// Writes the program that starts the runtime client into the store, once.
fn bootstrap(store: &Path) -> Result<PathBuf, CommandError> {
    let digest = hex::encode(Sha256::digest(BOOTSTRAP));
    let folder = store.join(format!("bootstrap-{}", &digest[..16]));
    let file = folder.join("bootstrap.py");
    if !file.exists() {
        let temporary = folder.join(format!("bootstrap.{}", std::process::id()));
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&temporary, BOOTSTRAP))
            .and_then(|()| fs::rename(&temporary, &file))
            .or_service(|| format!("could not write `{}`", file.display()))?;
    }
    Ok(file)
}
