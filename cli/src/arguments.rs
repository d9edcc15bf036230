//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Pipelines of AWS Lambda functions that run only the steps that matter.
#[derive(Debug, Parser)]
#[command(name = "sidestep", version, after_help = STATUSES)]
pub(crate) struct Arguments {
    /// The folder with `sidestep.toml` [default: the nearest one upwards]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) project: Option<PathBuf>,
    /// Say on stderr what the engine does
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const STATUSES: &str = "Exit status: 0 succeeded, 1 the execution failed, 2 the input is wrong, 3 a service failed, 130 interrupted.\n\
Environment: SIDESTEP_STATE_DIR moves the embedded cloud's state away from PROJECT/.sidestep.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a pipeline and wait for its end
    Run(RunOptions),
    /// Check a definition and report every problem
    Validate(ValidateOptions),
    /// List executions, newest first
    List(ListOptions),
    /// Show an execution and its steps
    Show(ShowOptions),
    /// Print what the functions of an execution wrote
    Logs(LogsOptions),
    /// Serve the embedded cloud; uploads start pipelines
    Up(UpOptions),
}

#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// A pipeline of `sidestep.toml`, or the file of a definition
    pub(crate) pipeline: String,
    /// A parameter's value; repeatable
    #[arg(short = 'p', long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    pub(crate) parameters: Vec<(String, String)>,
    /// Do not use cached results; successes are cached all the same
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    /// Start the execution in a running `sidestep up` and return
    #[arg(long)]
    pub(crate) detach: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ValidateOptions {
    /// The definition, JSON or YAML
    pub(crate) file: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ListOptions {
    /// Only executions of this pipeline
    pub(crate) pipeline: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: usize,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowOptions {
    /// An execution's id, its ARN, or `latest`
    pub(crate) execution: String,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogsOptions {
    /// An execution's id, its ARN, or `latest`
    pub(crate) execution: String,
    /// Only this step
    pub(crate) step: Option<String>,
    /// Go on until the execution is over
    #[arg(long)]
    pub(crate) follow: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UpOptions {
    /// S3's port on 127.0.0.1 [default: a free one]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    pub(crate) s3_port: u16,
    /// DynamoDB's port [default: a free one]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    pub(crate) dynamodb_port: u16,
    /// Lambda's port [default: a free one]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    pub(crate) lambda_port: u16,
    /// Print the endpoints as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
