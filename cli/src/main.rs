//! The `sidestep` command: parses its arguments, runs one command, prints. Only this crate prints
//! and exits.

// First: its macros stand in for the standard ones everywhere below.
#[macro_use]
mod output;

mod address;
mod admission;
mod api_functions;
mod blueprint;
mod build;
mod cache_folder;
mod commands;
mod data;
mod download;
mod drives;
mod engine_code;
mod event_form;
mod files;
mod folder_code;
mod functions;
mod hints;
mod installer;
mod jobs;
mod meter;
mod node;
mod package;
mod parameters;
mod pipeline_source;
mod project;
mod provided;
mod published;
mod python;
mod queues;
mod read_only;
mod refused;
mod reload;
mod remote;
mod request;
mod rights;
mod runtime;
mod schedules;
mod served;
mod session;
mod settings;
mod silent;
mod source_paths;
mod standing;
mod state_folder;
mod stored_code;
mod target;
mod template;
mod triggers;
mod used_code;
mod user;

use std::process::ExitCode;

use commands::{dispatch, short_help};
use output::error::{OrError as _, user};
use output::exit_status::ExitStatus;
use output::stream;

fn main() -> ExitCode {
    let arguments = match short_help::parse() {
        Ok(arguments) => arguments,
        Err(error) => return misused(&error),
    };
    // The S3 protocol crate logs answers that a client may expect, such as 404, as errors.
    let level = if arguments.verbose { "info,s3s=off" } else { "error,s3s=off" };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(dispatch(arguments)),
        Err(error) => Err(error.into()),
    };
    let status = result.unwrap_or_else(|error| error.report(asks_for_json()));
    let printed = stream::finish().or_service(|| "could not write to stdout");
    printed.map_or_else(|error| error.report(false), |()| status).into()
}

/// Returns true if the command line asks for JSON, also where it cannot be parsed.
fn asks_for_json() -> bool {
    std::env::args_os().take_while(|argument| argument != "--").any(|it| it == "--json")
}

/// Prints the help, the version, or why the command line cannot be parsed.
fn misused(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && asks_for_json() {
        let text = error.to_string();
        let message = text.lines().next().unwrap_or_default();
        return user(message.strip_prefix("error: ").unwrap_or(message)).report(true).into();
    }
    // A closed terminal is no failure.
    drop(error.print());
    if error.use_stderr() { ExitStatus::UserError.into() } else { ExitStatus::Succeeded.into() }
}
