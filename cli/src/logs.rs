//! `sidestep logs`: what the functions of an execution wrote, attempt by attempt.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sidestep_core::name::StepName;

use crate::arguments::{LogsOptions, Target};
use crate::error::{exit, user};
use crate::output::reader_left;
use crate::project::Project;
use crate::remote_logs;
use crate::session::Session;

/// How often files are looked at that still grow.
const POLL: Duration = Duration::from_millis(200);

pub(crate) async fn logs(
    project: Option<&Path>,
    target: Target,
    options: &LogsOptions,
) -> anyhow::Result<u8> {
    let project = Project::find(project)?;
    let step = options.step.as_deref().map(StepName::parse).transpose();
    let step = step.map_err(|error| user(error.to_string()))?;
    if target == Target::Aws {
        return remote_logs::logs(&project, options, step.as_ref()).await;
    }
    let session = Session::read(&project).await?;
    let result = print(&session, options, step.as_ref()).await;
    session.close(Duration::ZERO).await;
    result
}

async fn print(
    session: &Session,
    options: &LogsOptions,
    step: Option<&StepName>,
) -> anyhow::Result<u8> {
    let id = session.execution(&options.execution).await?;
    let loaded = session.engine.load(&id).await?;
    if let Some(step) = step.filter(|step| loaded.pipeline.find(step).is_none()) {
        return Err(user(format!(
            "pipeline `{}` has no step `{step}`",
            loaded.start.pipeline_name
        ))
        .into());
    }
    let folder = session.state.join("logs").join(id.as_str());
    let mut printed: BTreeMap<PathBuf, u64> = BTreeMap::new();
    loop {
        // Asked before reading, so that the last lines of a finished execution are not missed.
        let is_over = session.engine.load(&id).await?.execution.status.is_over();
        for path in files(&folder, step) {
            let position = printed.entry(path.clone()).or_default();
            match copy(&folder, &path, *position) {
                Ok(end) => *position += end,
                // Whoever reads has seen enough, and `--follow` would go on for nobody.
                Err(error) if error.downcast_ref().is_some_and(reader_left) => {
                    return Ok(exit::SUCCEEDED);
                }
                Err(error) => return Err(error),
            }
        }
        if !options.follow || is_over {
            return Ok(exit::SUCCEEDED);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The logs of the execution, in order of step and attempt.
fn files(folder: &Path, step: Option<&StepName>) -> Vec<PathBuf> {
    let children = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
        paths.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
        paths
    };
    let steps = children(folder).into_iter().filter(|path| {
        step.is_none_or(|step| path.file_name().is_some_and(|name| name == step.as_str()))
    });
    steps.flat_map(|step| children(&step)).collect()
}

/// Prints what the file holds from `position` on, line by line behind the attempt's name, and returns its length.
fn copy(folder: &Path, path: &Path, position: u64) -> anyhow::Result<u64> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(position))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    // A line that is being written comes next time.
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let name = path.strip_prefix(folder).unwrap_or(path).with_extension("");
    let mut out = std::io::stdout().lock();
    for line in String::from_utf8_lossy(&bytes[..end]).lines() {
        writeln!(out, "{} {line}", name.display())?;
    }
    Ok(u64::try_from(end)?)
}
