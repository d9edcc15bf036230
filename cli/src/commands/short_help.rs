//! The help of `sidestep -h`, which fits a screen of 24 lines. `--help` is clap's, with everything.

use clap::{CommandFactory as _, FromArgMatches as _};

use super::Arguments;

/// The commands in groups.
const SHORT: &str = "\
Pipelines of AWS Lambda functions that run only the steps that matter

Usage: sidestep [OPTIONS] COMMAND

Run pipelines
  run          Run a pipeline and wait until it ends
  plan         Show what `run` would do and why; writes nothing
  validate     Check a definition and list all its problems
  graph        Draw a pipeline or an execution
  up, serve    Serve the embedded cloud, or SageMaker's API
  env          Print the variables of a shell that uses a running `up`
  cache, gc    List or remove cached results; remove all that is old
Look at executions
  list, show   List executions; show one with its steps
  explain      Show why each step ran or did not run
  logs, get    Print the logs of steps; print or fetch an output
  stop, retry, repair, callback     Control an execution
On AWS
  synth, deploy, register, destroy  The project's stack
  doctor, redrive                   Check it; re-send dead letters

Options: --project DIR, --target local|aws, -v (log), -V (version)
`sidestep --help` lists everything, `sidestep COMMAND --help` all about one.
";

/// Parses the command line.
pub(crate) fn parse() -> Result<Arguments, clap::Error> {
    let long = Arguments::command().render_long_help();
    // The template leaves the whole page to the text.
    let command = Arguments::command().about(SHORT).long_about(long).help_template("{about}");
    Arguments::from_arg_matches(&command.try_get_matches()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_help_fits_a_screen_and_names_every_command() {
        assert!(SHORT.lines().count() <= 23, "one line is the next prompt");
        assert!(SHORT.lines().all(|line| line.len() <= 80));
        let words: Vec<_> = SHORT.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        for command in Arguments::command().get_subcommands() {
            assert!(words.contains(&command.get_name()), "{} is missing", command.get_name());
        }
    }
}
