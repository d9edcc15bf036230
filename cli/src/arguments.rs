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
    /// Where pipelines run: here, or in the stack that `deploy` made
    #[arg(id = "where", long = "target", global = true, value_enum, default_value_t = Target::Local)]
    pub(crate) target: Target,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const STATUSES: &str = "Exit status: 0 succeeded, 1 the execution failed, 2 the input is wrong, 3 a service failed, 10 `plan` has something to run, 130 interrupted.\n\
Environment: SIDESTEP_STATE_DIR moves the embedded cloud's state away from PROJECT/.sidestep.";

/// Where pipelines run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Target {
    /// The embedded cloud
    Local,
    /// The project's stack on AWS
    Aws,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a pipeline and wait for its end
    Run(RunOptions),
    /// Say what a run would do and why, without running or writing anything; exit status 10 when something would run
    Plan(PlanOptions),
    /// Say for each step of an execution why it ran or did not
    Explain(ExplainOptions),
    /// Check a definition and report every problem
    Validate(ValidateOptions),
    /// Draw a pipeline, or an execution with its decisions
    Graph(crate::graph::GraphOptions),
    /// List executions, newest first
    List(ListOptions),
    /// Show an execution and its steps
    Show(ShowOptions),
    /// Print what the functions of an execution wrote
    Logs(LogsOptions),
    /// See what is cached, and get rid of it
    Cache(crate::cache::CacheOptions),
    /// Let an execution start nothing new
    Stop(crate::control::StopOptions),
    /// Take up an execution that failed or was stopped; what succeeded stays
    Retry(crate::control::RetryOptions),
    /// Derive an execution anew whose state in the table is damaged or gone
    Repair(crate::repair::RepairOptions),
    /// Answer a Callback step
    #[command(subcommand)]
    Callback(crate::control::CallbackCommand),
    /// Serve the embedded cloud; uploads start pipelines
    Up(UpOptions),
    /// Serve SageMaker's API for pipelines, so that boto3, the AWS CLI and the SageMaker SDK drive this project
    Serve(crate::serve::ServeOptions),
    /// Print the CloudFormation template of the project
    Synth(crate::synth::SynthOptions),
    /// Set the project's stack up on AWS, or bring it up to date
    Deploy(crate::deploy::DeployOptions),
    /// Delete the project's stack; data stays unless asked for
    Destroy(crate::destroy::DestroyOptions),
    /// Publish what is deployed and register pipelines and triggers, without changing the stack
    Register,
    /// Look at the deployed stack and say what is wrong with it
    Doctor(crate::doctor::DoctorOptions),
    /// Send messages again that were given up on, once their cause is mended
    Redrive,
}

#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    #[command(flatten)]
    pub(crate) start: StartOptions,
    /// Start the execution in a running `sidestep up` and return
    #[arg(long)]
    pub(crate) detach: bool,
    /// Count what the execution asks of AWS services, and what that costs at list prices
    #[arg(long, conflicts_with = "detach")]
    pub(crate) cost: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlanOptions {
    #[command(flatten)]
    pub(crate) start: StartOptions,
}

/// What `run` and `plan` take.
#[derive(Debug, Args)]
pub(crate) struct StartOptions {
    /// A pipeline of `sidestep.toml`, or the file of a definition
    pub(crate) pipeline: String,
    /// A parameter's value; repeatable
    #[arg(short = 'p', long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    pub(crate) parameters: Vec<(String, String)>,
    /// Take parameters that are not given from the source execution, not from the defaults
    #[arg(long)]
    pub(crate) inherit_parameters: bool,
    /// Run only these steps: STEP, STEP+, +STEP, 2+STEP+1, FROM..TO, tag:TAG, state:changed, result:failed; repeatable
    #[arg(long, value_name = "SELECTOR")]
    pub(crate) select: Vec<String>,
    /// Leave these steps out; repeatable
    #[arg(long, value_name = "SELECTOR")]
    pub(crate) exclude: Vec<String>,
    /// Where results of steps that do not run come from: an execution's id or ARN, `latest` or `none`
    #[arg(long, value_name = "EXEC", default_value = "latest")]
    pub(crate) source: String,
    /// Give outputs by hand, so that their step need not run; repeatable
    #[arg(long, value_name = "STEP.OUTPUT=VALUE|STEP=@FILE")]
    pub(crate) supply: Vec<String>,
    /// Let what is supplied into the cache
    #[arg(long)]
    pub(crate) publish_supplied: bool,
    /// Run these steps although a cached result could stand in; repeatable
    #[arg(long, value_name = "SELECTOR")]
    pub(crate) force: Vec<String>,
    /// Do not use cached results; successes are cached all the same
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Run at most so many steps at a time [SageMaker: MaxParallelExecutionSteps]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_parallel: Option<u32>,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainOptions {
    /// An execution's id, its ARN, or `latest`
    pub(crate) execution: String,
    /// Only this step, with the parts of its cache key
    pub(crate) step: Option<String>,
    /// Compare with this execution [default: for each step the nearest earlier run]
    #[arg(long, value_name = "EXEC")]
    pub(crate) against: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
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
    /// SQS's port [default: a free one]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    pub(crate) sqs_port: u16,
    /// Print the endpoints as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
