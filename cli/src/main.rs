//! The `sidestep` command: parse, call, print. It alone prints and exits.

// First: its macros stand in for the standard ones everywhere below.
#[macro_use]
mod output;

mod arguments;
mod blueprint;
mod build;
mod cache;
mod control;
mod cost;
mod deploy;
mod destroy;
mod doctor;
mod error;
mod executions;
mod explain;
mod functions;
mod graph;
mod logs;
mod look;
mod package;
mod plan;
mod project;
mod python;
mod reasons;
mod redrive;
mod register;
mod remote;
mod remote_logs;
mod repair;
mod request;
mod run;
mod sdk;
mod serve;
mod session;
mod synth;
mod table;
mod up;
mod validate;
mod view;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // The S3 protocol crate logs every answer that a client may well expect, such as 404, as an error.
    let level = if arguments.verbose { "info,s3s=off" } else { "error,s3s=off" };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(dispatch(arguments)),
        Err(error) => Err(error.into()),
    };
    let status = result.unwrap_or_else(|error| error::report(&error));
    let printed = output::finish().context("could not write to stdout");
    ExitCode::from(printed.map_or_else(|error| error::report(&error), |()| status))
}

async fn dispatch(arguments: Arguments) -> anyhow::Result<u8> {
    let project = arguments.project.as_deref();
    let target = arguments.target;
    match arguments.command {
        Command::Validate(options) => validate::validate(&options),
        Command::Run(options) => run::run(project, target, options).await,
        Command::Plan(options) => plan::plan(project, target, options).await,
        Command::Explain(options) => explain::explain(project, target, &options).await,
        Command::List(options) => executions::list(project, target, &options).await,
        Command::Show(options) => executions::show(project, target, &options).await,
        Command::Logs(options) => logs::logs(project, target, &options).await,
        Command::Graph(options) => graph::graph(project, target, &options).await,
        Command::Cache(options) => cache::cache(project, target, &options).await,
        Command::Stop(options) => control::stop(project, target, &options).await,
        Command::Retry(options) => control::retry(project, target, &options).await,
        Command::Repair(options) => repair::repair(project, target, &options).await,
        Command::Callback(command) => control::callback(project, target, command).await,
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
