//! The command line: one file for each command, with its options.

mod cache;
mod callback;
mod deploy;
mod destroy;
mod doctor;
mod drive;
mod env;
mod explain;
mod gc;
mod get;
mod graph;
mod list;
mod logs;
mod plan;
mod redrive;
mod register;
mod repair;
mod retry;
mod run;
mod serve;
pub(crate) mod short_help;
mod show;
mod stop;
mod synth;
mod up;
mod validate;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::target::Target;

/// Pipelines of AWS Lambda functions that run only the steps that matter.
#[derive(Debug, Parser)]
#[command(name = "sidestep", version, after_help = STATUSES)]
pub(crate) struct Arguments {
    /// Folder that holds `sidestep.toml` [default: the working folder or the nearest one above it]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) project: Option<PathBuf>,
    /// Log what the engine does to stderr
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
    /// Where pipelines run: on this machine, or in the stack that `sidestep deploy` created
    #[arg(
        id = "where",
        long = "target",
        global = true,
        value_name = "TARGET",
        value_enum,
        default_value_t = Target::Local
    )]
    pub(crate) target: Target,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const STATUSES: &str = "Exit status: 0 success, 1 the execution failed, 2 the input is wrong, 3 a service failed, 10 `plan` found steps to run, 130 interrupted.\n\
Environment: SIDESTEP_STATE_DIR is the folder of the embedded cloud's state [default: PROJECT/.sidestep].";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a pipeline and wait until it ends
    Run(run::RunOptions),
    /// Show what `run` would do and why, without running or writing anything; exits with 10 if a
    /// step would run
    Plan(plan::PlanOptions),
    /// Show why each step of an execution ran or did not run
    Explain(explain::ExplainOptions),
    /// Check a pipeline definition and list all its problems
    Validate(validate::ValidateOptions),
    /// Draw a pipeline, or an execution with the decision for each step
    Graph(graph::GraphOptions),
    /// List executions, newest first
    List(list::ListOptions),
    /// Show an execution and its steps
    Show(show::ShowOptions),
    /// Print an output of a step, or fetch the artifact that it names
    Get(get::GetOptions),
    /// Print the logs of an execution's functions
    Logs(logs::LogsOptions),
    /// List, remove or garbage-collect cached results
    Cache(cache::CacheOptions),
    /// Remove old results, artifacts, logs and copies of code that nothing uses
    Gc(cache::collect::CollectOptions),
    /// Stop an execution: running steps finish, no new ones start
    Stop(stop::StopOptions),
    /// Resume a failed or stopped execution; succeeded steps are kept
    Retry(retry::RetryOptions),
    /// Rebuild an execution whose stored state is damaged or missing
    Repair(repair::RepairOptions),
    /// Report the result of a Callback step
    #[command(subcommand)]
    Callback(callback::CallbackCommand),
    /// Serve the embedded cloud until interrupted; uploads start pipelines
    Up(up::UpOptions),
    /// Print the variables by which AWS's tools reach the cloud that `up` or `serve` runs
    Env(env::EnvOptions),
    /// Serve SageMaker's API for pipelines to boto3, the AWS CLI and the SageMaker SDK
    Serve(serve::ServeOptions),
    /// Print the project's CloudFormation template
    Synth(synth::SynthOptions),
    /// Create or update the project's stack on AWS
    Deploy(deploy::DeployOptions),
    /// Delete the project's stack; the data stays unless `--delete-data` is given
    Destroy(destroy::DestroyOptions),
    /// Publish the deployed functions, pipelines and triggers without changing the stack
    Register,
    /// Check the deployed stack and report what is wrong
    Doctor(doctor::DoctorOptions),
    /// Re-send dead-letter messages after their cause is fixed
    Redrive,
}

/// Runs the command that `arguments` name, and returns its exit status.
pub(crate) async fn dispatch(arguments: Arguments) -> Result<ExitStatus, CommandError> {
    let project = arguments.project.as_deref();
    let target = arguments.target;
    match arguments.command {
        Command::Validate(options) => validate::validate(project, &options),
        Command::Run(options) => run::run(project, target, options).await,
        Command::Plan(options) => plan::plan(project, target, options).await,
        Command::Explain(options) => explain::explain(project, target, &options).await,
        Command::List(options) => list::list(project, target, &options).await,
        Command::Show(options) => show::show(project, target, &options).await,
        Command::Get(options) => get::get(project, target, &options).await,
        Command::Logs(options) => logs::logs(project, target, &options).await,
        Command::Graph(options) => graph::graph(project, target, &options).await,
        Command::Cache(options) => Box::pin(cache::cache(project, target, &options)).await,
        Command::Gc(options) => Box::pin(gc::gc(project, target, &options)).await,
        Command::Stop(options) => stop::stop(project, target, &options).await,
        Command::Retry(options) => Box::pin(retry::retry(project, target, &options)).await,
        Command::Repair(options) => repair::repair(project, target, &options).await,
        Command::Callback(command) => callback::callback(project, target, command).await,
        Command::Up(options) => Box::pin(up::up(project, &options)).await,
        Command::Env(options) => env::env(project, &options),
        Command::Serve(options) => serve::serve(project, target, &options).await,
        Command::Synth(options) => synth::synth(project, &options),
        Command::Deploy(options) => deploy::deploy(project, &options).await,
        Command::Destroy(options) => destroy::destroy(project, &options).await,
        Command::Register => register::register(project).await,
        Command::Doctor(options) => doctor::doctor(project, &options).await,
        Command::Redrive => redrive::redrive(project, target).await,
    }
}
