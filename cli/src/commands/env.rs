//! `sidestep env`: prints the variables by which AWS's tools reach the running embedded cloud.

use std::path::Path;

use clap::Args;
use serde_json::{Map, Value, json};
use sidestep_local::cloud::REGION;
use sidestep_local::folder::{Endpoints, published_endpoints};

use crate::output::error::{CommandError, user};
use crate::output::exit_status::ExitStatus;
use crate::project::Project;

#[derive(Debug, Args)]
pub(crate) struct EnvOptions {
    /// Print one JSON document instead of lines for a shell
    #[arg(long)]
    json: bool,
}

pub(crate) fn env(
    project: Option<&Path>,
    options: &EnvOptions,
) -> Result<ExitStatus, CommandError> {
    let project = Project::find(project)?;
    let endpoints = published_endpoints(&project.state_folder()).ok_or_else(|| {
        user("no `sidestep up` is running in this project")
            .hint("start one: the servers' addresses change with each")
    })?;
    let variables = variables(&endpoints);
    if options.json {
        let document: Map<_, _> =
            variables.map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
        println!("{:#}", Value::from(document));
    } else {
        for (name, value) in variables {
            println!("export {name}={value}");
        }
        // A token of a real account would be sent beside this key, and be refused.
        println!("unset AWS_SESSION_TOKEN");
    }
    Ok(ExitStatus::Succeeded)
}

/// Returns the variables of AWS's tools for the servers. No value needs quotes in a shell.
fn variables(endpoints: &Endpoints) -> impl Iterator<Item = (&'static str, &str)> {
    let credentials = &endpoints.credentials;
    let all = [
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_ENDPOINT_URL_S3", &endpoints.s3),
        ("AWS_ENDPOINT_URL_DYNAMODB", &endpoints.dynamodb),
        ("AWS_ENDPOINT_URL_LAMBDA", &endpoints.lambda),
        ("AWS_ENDPOINT_URL_SQS", endpoints.sqs.as_deref().unwrap_or_default()),
    ];
    all.into_iter().filter(|(_, value)| !value.is_empty())
}

/// Returns the key of the servers for a document of endpoints.
pub(crate) fn key_of(endpoints: &Endpoints) -> Value {
    json!({
        "AccessKeyId": endpoints.credentials.access_key_id,
        "SecretAccessKey": endpoints.credentials.secret_access_key,
    })
}
