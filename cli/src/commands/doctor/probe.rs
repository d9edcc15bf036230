//! A probe that goes through the stack as an event does.

use std::time::{Duration, Instant};

use serde_json::json;
use sidestep_aws::deploy::DeadLetters;
use sidestep_core::name::ExecutionId;
use sidestep_core::uri::S3Uri;
use sidestep_engine::handle::probe::{Station, probe_key};
use sidestep_engine::ports::objects::ObjectStore as _;

use super::findings::Findings;
use crate::output::error::CommandError;
use crate::project::Project;
use crate::remote::Remote;

/// How long a probe may take. S3's events usually take seconds, and can take a minute.
const LONGEST: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(100);

/// Sends a probe and reports how long it took to each station.
pub(super) async fn probe(project: &Project, remote: &Remote, findings: &mut Findings) {
    let id = remote.engine.new_probe();
    let begun = Instant::now();
    let (what, object) = match send(project, remote, &id).await {
        Ok(sent) => sent,
        Err(error) => {
            findings.result("sending a probe", Err(error));
            return;
        }
    };
    let hints = [
        (
            Station::Trigger,
            "check the rule, queue and log of the trigger; an existing bucket must send its events to EventBridge",
        ),
        (Station::Planner, "check the artifact bucket's notification and the planner's log"),
    ];
    for (station, hint) in hints {
        let name = format!("{station:?}").to_lowercase();
        match came(remote, &id, station, begun).await {
            Ok(true) => {
                let seconds = begun.elapsed().as_secs_f64();
                findings.right(&format!("{what} reached the {name} after {seconds:.1} s"));
            }
            Ok(false) => {
                let seconds = LONGEST.as_secs();
                findings.wrong(&format!("{what} did not reach the {name} in {seconds} s"), hint);
                break;
            }
            Err(error) => {
                findings.result(&format!("{what} reached the {name}"), Err(error));
                break;
            }
        }
    }
    let removed = remove(remote, &id, object.as_ref()).await;
    if let Err(error) = removed {
        findings.result("removing what the probe left", Err(error));
    }
}

/// Sends the probe; returns what was sent in words, and the object if one was created.
async fn send(
    project: &Project,
    remote: &Remote,
    id: &ExecutionId,
) -> Result<(String, Option<S3Uri>), CommandError> {
    let pipelines = project.settings.pipelines.values();
    let mut triggers = pipelines.flat_map(|pipeline| &pipeline.triggers);
    let Some(trigger) = triggers.find(|trigger| trigger.schedule.is_none()) else {
        let queue = format!("{}-uploads", remote.stack);
        let message = json!({ "Probe": { "Id": id } }).to_string();
        DeadLetters::new(&remote.account.sqs()).send(&queue, &message).await?;
        return Ok((format!("a message to `{queue}`"), None));
    };
    let key = probe_key(&trigger.prefix, id, &trigger.suffix);
    let uri = S3Uri::new(remote.bucket(&trigger.bucket), key);
    remote.account.objects().replace(&uri, "".into()).await?;
    Ok((format!("an upload to `{}`", uri.bucket()), Some(uri)))
}

/// Waits until the probe has passed a station; returns false if it takes too long.
async fn came(
    remote: &Remote,
    id: &ExecutionId,
    station: Station,
    begun: Instant,
) -> Result<bool, CommandError> {
    loop {
        if remote.engine.has_passed(id, station).await? {
            return Ok(true);
        }
        if begun.elapsed() > LONGEST {
            return Ok(false);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Removes what the probe left.
async fn remove(
    remote: &Remote,
    id: &ExecutionId,
    object: Option<&S3Uri>,
) -> Result<(), CommandError> {
    remote.engine.forget_probe(id).await?;
    if let Some(uri) = object {
        remote.account.objects().delete(uri).await?;
    }
    Ok(())
}
