//! Prepares a project's functions for the embedded cloud.
//!
//! Rust packages are built by cargo, other code is taken as it is, and each is copied under its
//! digest. The copy is what runs, so a build or an edit in the middle of an execution does not
//! change code that is in use.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use sidestep_core::name::FunctionName;
use sidestep_core::plan::lease::SDK_VARIABLE;
use sidestep_local::lambda::{Code, Command, FunctionConfig};

use crate::build::{self, Binary};
use crate::output::error::{CommandError, OrError as _, user};
use crate::project::Project;
use crate::python;
use crate::settings::FunctionSettings;
use crate::stored_code::{Stored, lambda_digest};

/// The functions that can be registered, and those that cannot run on this machine.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) functions: Vec<FunctionConfig>,
    /// Why a function cannot run on this machine, by its name.
    pub(crate) left_out: BTreeMap<String, String>,
}

/// Builds what has to be built and returns the `wanted` functions of the project.
pub(crate) fn prepare(project: &Project, wanted: &[String]) -> Result<Ready, CommandError> {
    let settings =
        |name: &String| Some((name.clone(), project.settings.functions.get(name)?.clone()));
    let wanted: BTreeMap<_, _> = wanted.iter().filter_map(settings).collect();
    let packages: Vec<_> =
        wanted.values().filter_map(|settings| settings.package.clone()).collect();
    let store = project.state_folder().join("functions");
    let binaries = build::binaries(&project.folder, &packages, &store.join("build.json"))?;
    let mut ready = Ready { functions: Vec::new(), left_out: BTreeMap::new() };
    for (name, settings) in &wanted {
        let code = match &settings.package {
            Some(package) => {
                let binary = binaries.get(package).ok_or_else(|| {
                    user(format!("package `{package}` of function `{name}` has no binary"))
                })?;
                rust(binary, settings, &store)?
            }
            None => match python::command(&project.folder, name, settings, &store)? {
                python::Found::Code(code) => *code,
                python::Found::LeftOut(why) => {
                    ready.left_out.insert(name.clone(), why);
                    continue;
                }
            },
        };
        let mut config =
            FunctionConfig::new(FunctionName::parse(name)?, Code::Process(code.command));
        config.memory_mb = settings.memory_mb;
        config.timeout = Duration::from_secs(settings.timeout_seconds.into());
        config.code_sha256 = code.sha256;
        ready.functions.push(config);
    }
    Ok(ready)
}

/// Copies a built program into the store and returns how to run it.
fn rust(
    binary: &Binary,
    settings: &FunctionSettings,
    store: &Path,
) -> Result<Stored, CommandError> {
    let folder = store.join(hex::encode(binary.sha256));
    let program = folder.join("bootstrap");
    if !program.exists() {
        fs::create_dir_all(&folder)
            .or_service(|| format!("could not create `{}`", folder.display()))?;
        let temporary = folder.join(format!("bootstrap.{}", std::process::id()));
        // `copy` keeps the permission to execute.
        fs::copy(&binary.path, &temporary)
            .and_then(|_| fs::rename(&temporary, &program))
            .or_service(|| {
                format!("could not copy `{}` to `{}`", binary.path.display(), folder.display())
            })?;
    }
    let mut environment = settings.environment.clone();
    if binary.has_sdk {
        environment.insert(SDK_VARIABLE.to_owned(), "1".to_owned());
    }
    let command = Command {
        program,
        working_dir: Some(folder),
        environment,
        runtime: "provided.al2023".to_owned(),
        handler: "bootstrap".to_owned(),
        ..Command::default()
    };
    Ok(Stored { command, sha256: lambda_digest(&binary.sha256, settings) })
}
