//! `sidestep env`: prints the variables by which AWS's tools reach the running embedded cloud.

use std::ffi::OsStr;
use std::path::Path;

use clap::Args;
use serde_json::{Map, Value, json};
use sidestep_local::clients::ClientFiles;
use sidestep_local::cloud::REGION;
use sidestep_local::folder::{Endpoints, published_endpoints};

use crate::output::error::{CommandError, user};
use crate::output::exit_status::ExitStatus;
use crate::project::Project;

/// The variable of botocore's data, a list of folders.
const DATA_PATH: &str = "AWS_DATA_PATH";

/// Variables that lead tools elsewhere.
///
/// A token of a real account would be sent beside the folder's key, and be refused. The others go
/// before the one address, or are of an earlier start.
const UNSET: [&str; 14] = [
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_LAMBDA",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_ENDPOINT_URL_STS",
    "AWS_ENDPOINT_URL_IAM",
    "AWS_ENDPOINT_URL_SAGEMAKER",
    "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS",
    "AWS_ENDPOINT_URL_EVENTBRIDGE",
    "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME",
];

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
    let state = project.state_folder();
    let endpoints = published_endpoints(&state).ok_or_else(|| {
        user("no `sidestep up` is running in this project")
            .hint("start one: the servers' addresses change with each")
    })?;
    let data_path = std::env::var_os(DATA_PATH);
    let variables = variables(&endpoints, ClientFiles::find(&state), data_path.as_deref())?;
    if options.json {
        let document: Map<_, _> = variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect();
        println!("{:#}", Value::from(document));
    } else {
        for (name, value) in &variables {
            println!("export {name}={}", quoted(value));
        }
        let is_given = |name: &str| variables.iter().any(|(given, _)| *given == name);
        let unset: Vec<_> = UNSET.into_iter().filter(|name| !is_given(name)).collect();
        println!("unset {}", unset.join(" "));
    }
    Ok(ExitStatus::Succeeded)
}

/// Returns the variables of AWS's tools for the servers.
fn variables(
    endpoints: &Endpoints,
    files: Option<ClientFiles>,
    data_path: Option<&OsStr>,
) -> Result<Vec<(&'static str, String)>, CommandError> {
    let credentials = &endpoints.credentials;
    let mut all = vec![
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id.clone()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.clone()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
    ];
    match &endpoints.aws {
        Some(url) => all.push(("AWS_ENDPOINT_URL", url.clone())),
        // A process of an older version serves them.
        None => all.extend([
            ("AWS_ENDPOINT_URL_S3", endpoints.s3.clone()),
            ("AWS_ENDPOINT_URL_DYNAMODB", endpoints.dynamodb.clone()),
            ("AWS_ENDPOINT_URL_LAMBDA", endpoints.lambda.clone()),
            ("AWS_ENDPOINT_URL_SQS", endpoints.sqs.clone().unwrap_or_default()),
        ]),
    }
    if let Some(ClientFiles { settings, data }) = files {
        all.push(("SAGEMAKER_USER_CONFIG_OVERRIDE", settings.display().to_string()));
        // Kept, because the user may have models of services there.
        let kept: Vec<_> = data_path.iter().flat_map(std::env::split_paths).collect();
        let others = kept.into_iter().filter(|folder| *folder != data && folder.is_absolute());
        let folders: Vec<_> = [data.clone()].into_iter().chain(others).collect();
        let joined = std::env::join_paths(folders)
            .map_err(|error| user(format!("`{}`: {error}", data.display())))?;
        all.push((DATA_PATH, joined.to_string_lossy().into_owned()));
    }
    Ok(all)
}

/// Returns a word of a shell.
fn quoted(value: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:@%+=,".contains(&byte);
    if value.bytes().all(is_plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', "'\\''"))
}

/// Returns the key of the servers for a document of endpoints.
pub(crate) fn key_of(endpoints: &Endpoints) -> Value {
    json!({
        "AccessKeyId": endpoints.credentials.access_key_id,
        "SecretAccessKey": endpoints.credentials.secret_access_key,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_word_of_a_shell() {
        for (value, expected) in [
            ("http://127.0.0.1:4566", "http://127.0.0.1:4566"),
            ("/a b/c", "'/a b/c'"),
            ("/it's/$(x)", "'/it'\\''s/$(x)'"),
            ("/ü", "'/ü'"),
        ] {
            assert_eq!(quoted(value), expected);
        }
    }
}
