//! Prepares Python functions: copies the code and finds an interpreter for it.

mod interpreter;
mod requirements;

use std::path::Path;

use sidestep_core::plan::lease::SDK_VARIABLE;
use sidestep_local::lambda::Command;

use crate::files::{copy, digest, list_files};
use crate::output::error::{CommandError, user};
use crate::settings::FunctionSettings;
use crate::stored_code::{Stored, lambda_digest};

pub(crate) use requirements::Requirements;

/// A function's code, or the reason why it cannot run on this machine.
#[derive(Debug)]
pub(crate) enum Found {
    Code(Box<Stored>),
    LeftOut(String),
}

/// Copies a Python function's folder into the store and finds the interpreter that runs it.
pub(crate) fn command(
    project: &Path,
    name: &str,
    settings: &FunctionSettings,
    store: &Path,
) -> Result<Found, CommandError> {
    let (Some(runtime), Some(handler), Some(path)) =
        (&settings.runtime, &settings.handler, &settings.path)
    else {
        return Err(user(format!("`[functions.{name}]` is incomplete")));
    };
    if !runtime.starts_with("python3") {
        let hint = "Rust packages and the runtimes `python3.x` can";
        return Err(user(format!(
            "function `{name}` has runtime `{runtime}`, which cannot run on this machine"
        ))
        .hint(hint));
    }
    let source = project.join(path);
    let files = list_files(&source)?;
    let digest = digest(&source, &files)?;
    let requirements = Requirements::of(&source)?;
    let interpreter = match interpreter::interpreter(store, requirements.as_ref()) {
        Ok(interpreter) => interpreter,
        Err(why) => return Ok(Found::LeftOut(why)),
    };
    let folder = store.join(hex::encode(digest));
    copy(&source, &files, &folder)?;
    let mut environment = settings.environment.clone();
    if requirements.as_ref().is_some_and(Requirements::has_sdk) {
        environment.insert(SDK_VARIABLE.to_owned(), "1".to_owned());
    }
    let command = Command {
        program: interpreter,
        args: vec!["-m".into(), "awslambdaric".into(), handler.into()],
        working_dir: Some(folder),
        environment,
        runtime: runtime.clone(),
        handler: handler.clone(),
    };
    let mut code = digest.to_vec();
    code.extend(format!("\0{runtime}\0{handler}\0").into_bytes());
    code.extend(requirements.iter().flat_map(Requirements::digest));
    let sha256 = lambda_digest(&code, settings);
    Ok(Found::Code(Box::new(Stored { command, sha256 })))
}
