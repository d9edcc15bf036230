//! One job from its inputs to its outputs, in a folder of its own.

mod archive;
mod ended;
mod inputs;
mod layout;
mod log;
mod machine;
mod mounts;
mod outputs;
mod place;
mod process;
mod program;
mod rewrite;
mod variables;
mod venv;

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

pub(crate) use ended::{Ended, Outcome};
pub(crate) use machine::Machine;

use self::layout::{Layout, ML};
use self::log::JobLog;
use self::mounts::{Paths, Way};
use self::outputs::{Output, Uploader, outputs, upload_training};
use self::process::{Bounds, Exit, Process};
use self::venv::Venv;
use crate::jobs::images::{Images, Prepared, Program};
use crate::jobs::kind::JobKind;
use crate::jobs::record::Record;
use crate::jobs::request::image_use;

/// How long a job may run whose request does not say: SageMaker's default.
const RUNTIME_SECONDS: u64 = 24 * 60 * 60;
/// The size of a job's files whose request does not say.
const VOLUME_GB: u64 = 30;
/// The most characters of a reason.
const REASON_CHARS: usize = 1024;
/// How often continuous outputs are uploaded.
const CONTINUOUS: Duration = Duration::from_secs(2);

/// Runs a job to its end. `said` records its progress.
///
/// When the future is dropped, the job's processes are killed and nothing is uploaded.
pub(crate) async fn run(
    machine: &Machine,
    record: &Record,
    images: &Arc<dyn Images>,
    stop: &CancellationToken,
    starts: u32,
    said: &(dyn Fn(&str, &str) + Sync),
) -> Ended {
    let mut log = JobLog::open(&machine.logs, record);
    if starts > 1 {
        log.say("the server ended while this job ran: it runs again from its beginning");
    }
    let job = Job { machine, record, stop, said };
    let (outcome, exit_message) = match job.run(images, &mut log).await {
        Ok(ended) => ended,
        Err(reason) => (Outcome::Failed(shortened(&reason)), None),
    };
    if let Outcome::Failed(reason) = &outcome {
        log.say(&format!("the job failed: {reason}"));
    }
    Ended { outcome, exit_message, metrics: log.metrics() }
}

/// A job that runs.
struct Job<'a> {
    machine: &'a Machine,
    record: &'a Record,
    stop: &'a CancellationToken,
    said: &'a (dyn Fn(&str, &str) + Sync),
}

impl Job<'_> {
    /// Runs the job. The error is the reason for which it failed before its process started.
    async fn run(
        &self,
        images: &Arc<dyn Images>,
        log: &mut JobLog,
    ) -> Result<(Outcome, Option<String>), String> {
        (self.said)("Starting", "Preparing the environment of the job");
        let (images, wanted) =
            (Arc::clone(images), image_use(self.record.kind, &self.record.request));
        let needs_program = wanted.needs_program;
        let preparing = tokio::task::spawn_blocking(move || images.prepare(&wanted));
        let prepared = tokio::select! {
            () = self.stop.cancelled() => return Ok((Outcome::Stopped, None)),
            prepared = preparing => prepared.map_err(internal)??,
        };
        log.say(&prepared.note);
        if needs_program && prepared.program == Some(Program::XgBoost) {
            log.watch_xgboost();
        }
        let layout = Layout::make(&self.machine.folder, self.record).map_err(internal)?;
        (self.said)("Downloading", "Downloading input data");
        let (s3, record) = (&self.machine.s3, self.record);
        tokio::select! {
            () = self.stop.cancelled() => return Ok((Outcome::Stopped, None)),
            downloaded = inputs::download(s3, record, &layout) => downloaded?,
        };
        let outputs = outputs(record, &layout)?;
        let mut process = self
            .start(&layout, &prepared, log)
            .map_err(|error| format!("ClientError: could not start the job's program: {error}"))?;
        (self.said)("Training", "Training image download completed. Training in progress.");
        self.machine.watchdog().watch(process.group);
        let mut uploader = Uploader::default();
        let exit = {
            let started = layout.started();
            let is_mounted = self.machine.way() != Way::Rewrite;
            let bounds = self.bounds(&layout, is_mounted.then_some(&*started));
            let followed = process.follow(&bounds, log);
            let uploaded = self.upload_continuously(&outputs, &mut uploader);
            tokio::select! {
                exit = followed => exit,
                never = uploaded => match never {},
            }
        };
        self.machine.watchdog().forget(process.group);
        drop(process);
        self.end(&exit, &layout, &outputs, uploader, log).await
    }

    /// Starts the job's process.
    fn start(
        &self,
        layout: &Layout,
        prepared: &Prepared,
        log: &mut JobLog,
    ) -> std::io::Result<Process> {
        let way = self.machine.way();
        log.say(way.note());
        if self
            .record
            .request
            .pointer("/ResourceConfig/InstanceCount")
            .is_some_and(|count| count.as_u64() > Some(1))
            || self
                .record
                .request
                .pointer("/ProcessingResources/ClusterConfig/InstanceCount")
                .is_some_and(|count| count.as_u64() > Some(1))
        {
            log.say("this machine is the only instance: `InstanceCount` counts as 1");
        }
        let venv = Venv::make(layout.root.join("venv"), prepared)?;
        let command = program::command(self.record, layout, prepared, &venv, way)?;
        let variables =
            variables::variables(self.machine, self.record, layout, prepared, &venv, way);
        let argv = if way == Way::Rewrite {
            rewrite::rewrite_inputs(layout)?;
            command.iter().map(OsString::from).collect()
        } else {
            let protected: Vec<_> =
                prepared.environment.iter().chain([&self.machine.state]).cloned().collect();
            let visible = [prepared.interpreter.clone()];
            let paths = Paths { protected: &protected, visible: &visible };
            mounts::mounted(way, layout, &paths, &command, Path::new(ML))?
        };
        Process::spawn(&argv, &variables, &layout.ml())
    }

    fn bounds<'a>(&'a self, layout: &'a Layout, started: Option<&'a Path>) -> Bounds<'a> {
        let request = &self.record.request;
        let number = |pointer: &str| request.pointer(pointer).and_then(serde_json::Value::as_u64);
        let seconds = number("/StoppingCondition/MaxRuntimeInSeconds").unwrap_or(RUNTIME_SECONDS);
        let volume = number("/ResourceConfig/VolumeSizeInGB")
            .or_else(|| number("/ProcessingResources/ClusterConfig/VolumeSizeInGB"));
        Bounds {
            stop: self.stop,
            deadline: Instant::now() + Duration::from_secs(seconds),
            grace: self.machine.grace,
            folder: &layout.root,
            bytes: volume.filter(|volume| *volume > 0).unwrap_or(VOLUME_GB) << 30,
            started,
        }
    }

    /// Uploads continuous outputs until the future is dropped.
    async fn upload_continuously(
        &self,
        outputs: &[Output],
        uploader: &mut Uploader,
    ) -> std::convert::Infallible {
        loop {
            sleep(CONTINUOUS).await;
            for output in outputs.iter().filter(|output| output.is_continuous) {
                if let Err(error) = uploader.upload(&self.machine.s3, output).await {
                    tracing::debug!(error, job = self.record.name, "an upload is tried again");
                }
            }
        }
    }

    /// Uploads what the job left, and returns how it ended.
    async fn end(
        &self,
        exit: &Exit,
        layout: &Layout,
        outputs: &[Output],
        mut uploader: Uploader,
        log: &JobLog,
    ) -> Result<(Outcome, Option<String>), String> {
        let (s3, record) = (&self.machine.s3, self.record);
        let is_success = *exit == Exit::Code(0);
        (self.said)("Uploading", "Uploading generated training model");
        for output in outputs.iter().filter(|output| output.is_continuous || is_success) {
            uploader.upload(s3, output).await?;
        }
        // A model that was stopped is kept, as a checkpoint is.
        let has_model = matches!(exit, Exit::Code(0) | Exit::Stopped | Exit::OutOfTime);
        if record.kind == JobKind::Training && has_model {
            upload_training(s3, record, layout).await?;
        }
        let message = layout.text("output/message");
        let outcome = match exit {
            Exit::Code(0) => Outcome::Completed,
            Exit::Code(code) => Outcome::Failed(shortened(&self.reason(*code, layout, log))),
            Exit::Stopped => Outcome::Stopped,
            Exit::OutOfTime => Outcome::OutOfTime(
                "MaxRuntimeExceeded: the job ran longer than `StoppingCondition.MaxRuntimeInSeconds`"
                    .to_owned(),
            ),
            Exit::Refused(reason) => Outcome::Failed(shortened(reason)),
        };
        Ok((outcome, message))
    }

    /// Returns the reason of a job whose process failed: what it wrote, or else what it printed.
    fn reason(&self, code: i32, layout: &Layout, log: &JobLog) -> String {
        let ending = format!(", exit code: {code}");
        let written = match self.record.kind {
            JobKind::Training => layout.text("output/failure"),
            JobKind::Processing => None,
        };
        let said = written.unwrap_or_else(|| log.last_lines());
        let words = if said.trim().is_empty() {
            "See job logs for more information".to_owned()
        } else {
            said
        };
        // The last words of a log say what went wrong, the first words of a file do.
        let room = REASON_CHARS - "AlgorithmError: ".len() - ending.chars().count();
        let surplus = words.chars().count().saturating_sub(room);
        let words: String = if layout.text("output/failure").is_some() {
            words.chars().take(room).collect()
        } else {
            words.chars().skip(surplus).collect()
        };
        format!("AlgorithmError: {}{ending}", words.trim())
    }
}

fn shortened(reason: &str) -> String {
    reason.chars().take(REASON_CHARS).collect()
}

fn internal(error: impl std::fmt::Display) -> String {
    format!("InternalServerError: {error}")
}
