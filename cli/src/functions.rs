//! Prepares a project's functions for the embedded cloud.
//!
//! Rust packages are built by cargo, other code is taken as it is, and each is copied under its
//! digest. The copy is what runs, so a build or an edit in the middle of an execution does not
//! change code that is in use. A function that cannot be prepared refuses the command, unless the
//! project says that it is optional.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use sidestep_core::execution::start::{PLACES_VARIABLE, READS_VARIABLE};
use sidestep_core::name::FunctionName;
use sidestep_core::place::in_environment;
use sidestep_local::lambda::{Code, FunctionConfig, Network};

use crate::build;
use crate::event_form;
use crate::folder_code;
use crate::output::error::CommandError;
use crate::project::Project;
use crate::queues::event_sources;
use crate::refused::refused;
use crate::settings::{FunctionSettings, NetworkSettings};
use crate::stored_code::Stored;

/// The functions that can be registered, and the optional ones that cannot run on this machine.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) functions: Vec<FunctionConfig>,
    /// Why an optional function cannot run on this machine, by its name.
    pub(crate) left_out: BTreeMap<String, String>,
}

/// Builds what has to be built and returns the `wanted` functions of the project.
pub(crate) fn prepare(project: &Project, wanted: &[String]) -> Result<Ready, CommandError> {
    let settings =
        |name: &String| Some((name.clone(), project.settings.functions.get(name)?.clone()));
    let wanted: BTreeMap<_, _> = wanted.iter().filter_map(settings).collect();
    let mut codes = build::stored(project, &wanted)?;
    let mut ready = Ready { functions: Vec::new(), left_out: BTreeMap::new() };
    for (name, settings) in &wanted {
        let code = match codes.remove(name) {
            Some(built) => built,
            None => folder_code::stored(project, name, settings),
        };
        match code {
            Ok(mut code) => {
                event_form::announce(project, name, settings, &mut code.command.environment)?;
                ready.functions.push(config(name, settings, code)?);
            }
            Err(why) if settings.optional => {
                ready.left_out.insert(name.clone(), why.one_line());
            }
            Err(why) => return Err(refused(&[name], why)),
        }
    }
    Ok(ready)
}

/// Returns the variables that tell the planner what a function reads besides its arguments.
fn described(settings: &FunctionSettings) -> Vec<(String, String)> {
    let variables = settings.environment.iter();
    let places = in_environment(variables.map(|(name, value)| (name.as_str(), value.as_str())));
    let lists = [(READS_VARIABLE, &settings.reads), (PLACES_VARIABLE, &places)];
    let some = lists.into_iter().filter(|(_, list)| !list.is_empty());
    some.map(|(name, list)| (name.to_owned(), json!(list).to_string())).collect()
}

/// Returns the function as it is registered.
pub(crate) fn config(
    name: &str,
    settings: &FunctionSettings,
    code: Stored,
) -> Result<FunctionConfig, CommandError> {
    let mut command = code.command;
    command.environment.extend(described(settings));
    let mut config = FunctionConfig::new(FunctionName::parse(name)?, Code::Process(command));
    config.memory_mb = settings.memory_mb;
    config.timeout = Duration::from_secs(settings.timeout_seconds.into());
    config.code_sha256 = code.sha256;
    config.queues = event_sources(settings);
    config.network = match settings.network {
        NetworkSettings::Embedded => Network::Embedded,
        NetworkSettings::Aws => Network::Aws,
    };
    Ok(config)
}
