//! `sidestep synth`: prints the CloudFormation template of a project, or the policy of the person
//! who deploys it.

use std::path::Path;

use clap::Args;
use sidestep_deploy::Place;
use sidestep_deploy::blueprint::Architecture;
use sidestep_deploy::deployer::deployer_policy;

use crate::blueprint::blueprint;
use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::project::Project;
use crate::template::checked;

#[derive(Debug, Args)]
pub(crate) struct SynthOptions {
    /// Instruction set of the functions, `arm64` or `x86_64` [default: `[deploy] architecture`]
    #[arg(long, value_parser = architecture)]
    pub(crate) architecture: Option<Architecture>,
    /// Print the IAM policy that the person who deploys needs, instead of the template
    #[arg(long)]
    deployer_policy: bool,
    /// Write names out for this account, as `deploy` does
    #[arg(long, value_name = "ID", requires = "region", value_parser = account_id)]
    account: Option<String>,
    /// Write names out for this region
    #[arg(long, value_name = "NAME", requires = "account")]
    region: Option<String>,
}

/// Parses an instruction set.
pub(crate) fn architecture(text: &str) -> Result<Architecture, String> {
    Architecture::parse(text).ok_or_else(|| "expected `arm64` or `x86_64`".to_owned())
}

/// Parses the number of an account.
fn account_id(text: &str) -> Result<String, String> {
    let is_id = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_id { Ok(text.to_owned()) } else { Err("expected 12 digits".to_owned()) }
}

pub(crate) fn synth(
    project: Option<&Path>,
    options: &SynthOptions,
) -> Result<ExitStatus, CommandError> {
    let project = Project::find(project)?;
    let mut blueprint = blueprint(&project, options.architecture)?;
    if let (Some(account_id), Some(region)) = (&options.account, &options.region) {
        blueprint.place = Some(Place { account_id: account_id.clone(), region: region.clone() });
    }
    let document = if options.deployer_policy {
        deployer_policy(&blueprint)
    } else {
        checked(&blueprint, false)?
    };
    println!("{}", serde_json::to_string_pretty(&document)?);
    Ok(ExitStatus::Succeeded)
}
