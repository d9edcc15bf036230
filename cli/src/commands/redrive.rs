//! `sidestep redrive`: dead letters sent again, when their cause is mended.

use std::path::Path;

use sidestep_aws::deploy::DeadLetters;

use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::project::Project;
use crate::remote::Remote;
use crate::target::Target;

/// Queues of dead letters, and the queues of those who gave up on them; behind the stack's name.
pub(crate) const QUEUES: [(&str, &str); 2] =
    [("planner-dead-letters", "reports"), ("upload-dead-letters", "uploads")];

pub(crate) async fn redrive(
    project: Option<&Path>,
    target: Target,
) -> Result<ExitStatus, CommandError> {
    let project = Project::find(project)?;
    if target == Target::Local {
        println!("nothing to send again: here an event stays until it was handled");
        return Ok(ExitStatus::Succeeded);
    }
    let remote = Remote::open(&project).await?;
    let letters = DeadLetters::new(&remote.account.sqs());
    for (from, to) in QUEUES {
        let (from, to) = (format!("{}-{from}", remote.stack), format!("{}-{to}", remote.stack));
        let count = letters.redrive(&from, &to).await?;
        println!("{count:>6} of {from} sent to {to}");
    }
    Ok(ExitStatus::Succeeded)
}
