//! The command line, and a file for each command with its options.

mod cache;
mod callback;
mod deploy;
mod destroy;
mod doctor;
mod explain;
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

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a pipeline and wait for its end
    Run(run::RunOptions),
    /// Say what a run would do and why, without running or writing anything; exit status 10 when something would run
    Plan(plan::PlanOptions),
    /// Say for each step of an execution why it ran or did not
    Explain(explain::ExplainOptions),
    /// Check a definition and report every problem
    Validate(validate::ValidateOptions),
    /// Draw a pipeline, or an execution with its decisions
    Graph(graph::GraphOptions),
    /// List executions, newest first
    List(list::ListOptions),
    /// Show an execution and its steps
    Show(show::ShowOptions),
    /// Print what the functions of an execution wrote
    Logs(logs::LogsOptions),
    /// See what is cached, and get rid of it
    Cache(cache::CacheOptions),
    /// Let an execution start nothing new
    Stop(stop::StopOptions),
    /// Take up an execution that failed or was stopped; what succeeded stays
    Retry(retry::RetryOptions),
    /// Derive an execution anew whose state in the table is damaged or gone
    Repair(repair::RepairOptions),
    /// Answer a Callback step
    #[command(subcommand)]
    Callback(callback::CallbackCommand),
    /// Serve the embedded cloud; uploads start pipelines
    Up(up::UpOptions),
    /// Serve SageMaker's API for pipelines, so that boto3, the AWS CLI and the SageMaker SDK drive this project
    Serve(serve::ServeOptions),
    /// Print the CloudFormation template of the project
    Synth(synth::SynthOptions),
    /// Set the project's stack up on AWS, or bring it up to date
    Deploy(deploy::DeployOptions),
    /// Delete the project's stack; data stays unless asked for
    Destroy(destroy::DestroyOptions),
    /// Publish what is deployed and register pipelines and triggers, without changing the stack
    Register,
    /// Look at the deployed stack and say what is wrong with it
    Doctor(doctor::DoctorOptions),
    /// Send messages again that were given up on, once their cause is mended
    Redrive,
}

/// Runs the command that `arguments` name, and returns its exit status.
pub(crate) async fn dispatch(arguments: Arguments) -> Result<ExitStatus, CommandError> {
    let project = arguments.project.as_deref();
    let target = arguments.target;
    match arguments.command {
        Command::Validate(options) => validate::validate(&options),
        Command::Run(options) => run::run(project, target, options).await,
        Command::Plan(options) => plan::plan(project, target, options).await,
        Command::Explain(options) => explain::explain(project, target, &options).await,
        Command::List(options) => list::list(project, target, &options).await,
        Command::Show(options) => show::show(project, target, &options).await,
        Command::Logs(options) => logs::logs(project, target, &options).await,
        Command::Graph(options) => graph::graph(project, target, &options).await,
        Command::Cache(options) => cache::cache(project, target, &options).await,
        Command::Stop(options) => stop::stop(project, target, &options).await,
        Command::Retry(options) => retry::retry(project, target, &options).await,
        Command::Repair(options) => repair::repair(project, target, &options).await,
        Command::Callback(command) => callback::callback(project, target, command).await,
        Command::Up(options) => up::up(project, &options).await,
        Command::Serve(options) => serve::serve(project, target, &options).await,
        Command::Synth(options) => synth::synth(project, &options),
        Command::Deploy(options) => deploy::deploy(project, &options).await,
        Command::Destroy(options) => destroy::destroy(project, &options).await,
        Command::Register => register::register(project).await,
        Command::Doctor(options) => doctor::doctor(project, &options).await,
        Command::Redrive => redrive::redrive(project, target).await,
    }
}
