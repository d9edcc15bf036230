//! Functions of steps: how they reach the planner.

use std::collections::BTreeMap;

use sidestep_core::name::FunctionName;
use sidestep_core::plan::handoff::Handoff;

use super::names::{ARTIFACT_BUCKET, PLANNER, REPORTS_URL, TABLE, TIMERS_URL};
use crate::account::ACCOUNT_ID;
use crate::cloud::Cloud;
use crate::lambda::{Code, Destination, FunctionConfig, HostError, Network, RecursiveLoop};

/// Registers a step's function, with the planner as destination of its results.
pub fn register_step(cloud: &Cloud, function: FunctionConfig) -> Result<(), HostError> {
    if function.network == Network::Aws {
        cloud.accept_any_signer();
    }
    cloud.lambda().register(as_step(function)?)
}

/// Returns the function as one of a step: the planner gets its results.
pub fn as_step(mut function: FunctionConfig) -> Result<FunctionConfig, HostError> {
    let planner = Destination::Function(FunctionName::parse(PLANNER)?);
    function.on_success = Some(planner.clone());
    function.on_failure = Some(planner);
    // The planner decides about retries, so it has to see each failure at once.
    function.max_retry_attempts = 0;
    // The deployed template allows it, too, for every function that one chain can visit so often.
    function.recursive_loop = RecursiveLoop::Allow;
    Ok(function)
}

/// Gives a step's function the variables by which it commits its result itself.
///
/// Leaves the function as it is unless `handoff` is direct.
pub fn with_handoff(mut function: FunctionConfig, handoff: Handoff) -> FunctionConfig {
    if let Code::Process(command) = &mut function.code
        && handoff.is_direct()
    {
        let own = planner_environment().into_iter().filter(|(name, _)| name != "SIDESTEP_TIMERS");
        command.environment.extend(own);
        command.environment.insert("SIDESTEP_REPORTS".to_owned(), REPORTS_URL.to_owned());
        command.environment.insert("SIDESTEP_HANDOFF".to_owned(), handoff.to_string());
    }
    function
}

/// Returns the variables that the binaries of the planner and the trigger read.
pub fn planner_environment() -> BTreeMap<String, String> {
    [
        ("SIDESTEP_TABLE", TABLE),
        ("SIDESTEP_BUCKET", ARTIFACT_BUCKET),
        ("SIDESTEP_ACCOUNT_ID", ACCOUNT_ID),
        ("SIDESTEP_TIMERS", TIMERS_URL),
        ("SIDESTEP_TRACES", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}
