//! `sidestep redrive`: re-sends dead-letter messages after their cause is fixed.

use std::path::Path;

use sidestep_aws::deploy::DeadLetters;

use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::project::Project;
use crate::remote::Remote;
use crate::target::Target;

/// Dead-letter queues, and the queues that their messages came from, without the stack's name in
/// front.
pub(crate) const QUEUES: [(&str, &str); 2] =
    [("planner-dead-letters", "reports"), ("upload-dead-letters", "uploads")];

pub(crate) async fn redrive(
    project: Option<&Path>,
    target: Target,
) -> Result<ExitStatus, CommandError> {
    let project = Project::find(project)?;
    if target == Target::Local {
        println!("nothing to re-send: the embedded cloud keeps an event until it is handled");
        return Ok(ExitStatus::Succeeded);
    }
    let remote = Remote::open(&project).await?;
    let letters = DeadLetters::new(&remote.account.sqs());
    for (from, to) in QUEUES {
        let (from, to) = (format!("{}-{from}", remote.stack), format!("{}-{to}", remote.stack));
        let count = letters.redrive(&from, &to).await?;
        println!("{count:>6} messages moved from {from} to {to}");
    }
    Ok(ExitStatus::Succeeded)
}
