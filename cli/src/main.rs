//! The `sidestep` command: parse, call, print. It alone prints and exits.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the command")]

mod arguments;
mod error;
mod executions;
mod functions;
mod logs;
mod project;
mod python;
mod run;
mod session;
mod table;
mod up;
mod validate;
mod view;

use std::process::ExitCode;

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
    ExitCode::from(result.unwrap_or_else(|error| error::report(&error)))
}

async fn dispatch(arguments: Arguments) -> anyhow::Result<u8> {
    let project = arguments.project.as_deref();
    match arguments.command {
        Command::Validate(options) => validate::validate(&options),
        Command::Run(options) => run::run(project, options).await,
        Command::List(options) => executions::list(project, &options).await,
        Command::Show(options) => executions::show(project, &options).await,
        Command::Logs(options) => logs::logs(project, &options).await,
        Command::Up(options) => up::up(project, &options).await,
    }
}
