//! Functions that are made through the embedded Lambda's API: how this machine runs them.

use std::path::PathBuf;

use sidestep_core::plan::handoff::Handoff;
use sidestep_local::deployment::{as_step, with_handoff};
use sidestep_local::lambda::{FunctionConfig, Runtimes, UnpackedFunction};

use crate::event_form::announce_named;
use crate::files::all_files;
use crate::functions::config;
use crate::output::error::CommandError;
use crate::project::Project;
use crate::runtime::Runtime;
use crate::settings::{FunctionSettings, NetworkSettings};
use crate::stored_code::FolderFunction;
use crate::{event_form, node, provided, python};

/// The runtime that the SageMaker SDK names by default, older than those that projects may name.
const OLD_PYTHON: &str = "python3.8";

/// The runtimes of this machine, for the functions of a project.
#[derive(Debug)]
pub(crate) struct MachineRuntimes {
    folder: PathBuf,
    handoff: Handoff,
}

impl MachineRuntimes {
    pub(crate) fn new(project: &Project) -> Self {
        Self { folder: project.folder.clone(), handoff: project.settings.engine.handoff }
    }

    fn make(&self, code: &UnpackedFunction<'_>) -> Result<FunctionConfig, CommandError> {
        let project = Project::find(Some(&self.folder))?;
        let runtime = match code.runtime {
            OLD_PYTHON => Runtime::Python { minor: 8 },
            other => Runtime::parse(other)?,
        };
        let settings = settings(code);
        let name = code.name.as_str();
        let function = |version| FolderFunction {
            name,
            settings: &settings,
            runtime: code.runtime,
            version,
            handler: code.handler,
            path: code.folder,
        };
        let mut stored = match runtime {
            Runtime::Python { minor } => python::unpacked(&project, &function(minor), &code.digest),
            Runtime::Node { major } => node::unpacked(&project, &function(major), &code.digest),
            Runtime::Provided => provided::unpacked(&function(0), &code.digest),
        }?;
        let named = event_form::named(code.folder, &all_files(code.folder)?);
        announce_named(name, &settings, named, &mut stored.command.environment)?;
        Ok(as_step(with_handoff(config(name, &settings, stored)?, self.handoff))?)
    }
}

impl Runtimes for MachineRuntimes {
    fn function(&self, code: &UnpackedFunction<'_>) -> Result<FunctionConfig, String> {
        self.make(code).map_err(|error| error.one_line())
    }
}

/// Returns the function's settings as a project would have them.
fn settings(code: &UnpackedFunction<'_>) -> FunctionSettings {
    FunctionSettings {
        package: None,
        runtime: Some(code.runtime.to_owned()),
        handler: Some(code.handler.to_owned()),
        path: Some(code.folder.to_owned()),
        memory_mb: code.memory_mb,
        timeout_seconds: code.timeout_seconds,
        environment: code.environment.clone(),
        optional: false,
        event: None,
        network: NetworkSettings::Embedded,
        queues: Vec::new(),
        reads: Vec::new(),
        writes: Vec::new(),
    }
}
