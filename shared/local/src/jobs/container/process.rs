//! The process of a job: started in a group of its own, followed, stopped, and cleaned up after.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::archive::entries;
use super::log::JobLog;

/// How much is read at a time: the capacity of a pipe.
const CHUNK_BYTES: usize = 64 * 1024;
/// How long output is waited for after the process has ended.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long a program may take to start before it is asked to end.
const START: Duration = Duration::from_secs(5);
/// How often it is looked whether a program has started.
const POLL: Duration = Duration::from_millis(20);
/// How often the files of a job are measured.
const MEASURE: Duration = Duration::from_secs(5);
/// The space that a job must leave on the disk.
const FREE_BYTES: u64 = 256 * 1024 * 1024;

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Exit {
    /// By itself, with this code: 128 and the signal if one killed it.
    Code(i32),
    /// The job was stopped.
    Stopped,
    /// It took too long.
    OutOfTime,
    /// It did what the machine does not allow.
    Refused(String),
}

/// The bounds of a process.
#[derive(Debug)]
pub(super) struct Bounds<'a> {
    pub(super) stop: &'a CancellationToken,
    pub(super) deadline: Instant,
    /// How long it may take to end after SIGTERM.
    pub(super) grace: Duration,
    /// The job's folder, and how many bytes may be in there.
    pub(super) folder: &'a Path,
    pub(super) bytes: u64,
    /// The file that is there once the program starts, if its mounts are made before.
    pub(super) started: Option<&'a Path>,
}

/// A process that leads a group of its own. The group is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    output: Option<pipe::Receiver>,
    pub(super) group: Pid,
}

impl Process {
    /// Starts a command with these variables and no others.
    pub(super) fn spawn(
        argv: &[OsString],
        variables: &BTreeMap<String, String>,
        working_dir: &Path,
    ) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let (program, arguments) =
            argv.split_first().ok_or_else(|| io::Error::other("there is no program"))?;
        let child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(variables)
            .current_dir(working_dir)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = child
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
            .ok_or_else(|| io::Error::other("the process has no id"))?;
        let output = Some(pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?);
        Ok(Self { child, output, group })
    }

    /// Follows the process until it has ended, and ends what it left behind.
    pub(super) async fn follow(&mut self, bounds: &Bounds<'_>, log: &mut JobLog) -> Exit {
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut asked: Option<(Exit, Instant)> = None;
        let mut measure = interval(MEASURE);
        measure.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let status = loop {
            let kill_at = asked.as_ref().map(|(_, at)| *at);
            tokio::select! {
                bytes = read(&mut self.output, &mut chunk) => log.output(bytes),
                status = self.child.wait() => break status,
                () = bounds.stop.cancelled(), if asked.is_none() => {
                    log.say("the job is stopped: SIGTERM");
                    self.terminate(bounds).await;
                    asked = Some((Exit::Stopped, Instant::now() + bounds.grace));
                }
                () = sleep_until(bounds.deadline), if asked.is_none() => {
                    log.say("the job has run as long as it may: SIGTERM");
                    self.terminate(bounds).await;
                    asked = Some((Exit::OutOfTime, Instant::now() + bounds.grace));
                }
                () = sleep_until(kill_at.unwrap_or(bounds.deadline)), if kill_at.is_some() => {
                    log.say("the process did not end in time: SIGKILL");
                    self.signal(Signal::KILL);
                    break self.child.wait().await;
                }
                _ = measure.tick() => if let Some(reason) = too_large(bounds) {
                    log.say(&reason);
                    self.signal(Signal::KILL);
                    asked = Some((Exit::Refused(reason), Instant::now()));
                }
            }
        };
        // What the process left running would hold its output, and write after its end.
        self.signal(Signal::KILL);
        let rest = async {
            while self.output.is_some() {
                log.output(read(&mut self.output, &mut chunk).await);
            }
        };
        if timeout(LAST_WORDS, rest).await.is_err() {
            log.say("a process that the job left running still holds its output");
        }
        log.end_line();
        match (asked, status) {
            (Some((exit, _)), _) => exit,
            (None, Ok(status)) => Exit::Code(code(status)),
            (None, Err(error)) => Exit::Refused(format!("InternalServerError: {error}")),
        }
    }

    /// Asks the program to end, once it has started: what makes its mounts would not tell it.
    async fn terminate(&self, bounds: &Bounds<'_>) {
        let last = Instant::now() + START;
        let is_missing = || bounds.started.is_some_and(|file| !file.exists());
        while is_missing() && Instant::now() < last {
            sleep(POLL).await;
        }
        if bounds.started.is_some() {
            sleep(POLL).await;
        }
        self.signal(Signal::TERM);
    }

    fn signal(&self, signal: Signal) {
        // Fails only when the whole group is gone already.
        let _ = kill_process_group(self.group, signal);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Reads output. Never returns once all of it was read.
async fn read<'a>(output: &mut Option<pipe::Receiver>, chunk: &'a mut [u8]) -> &'a [u8] {
    let Some(pipe) = output else { return std::future::pending().await };
    match pipe.read(chunk).await {
        Ok(0) | Err(_) => {
            *output = None;
            &[]
        }
        Ok(read) => &chunk[..read],
    }
}

/// Returns the code of an exit as a shell gives it.
fn code(status: ExitStatus) -> i32 {
    status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(255)
}

/// Returns why a job must end for its files.
fn too_large(bounds: &Bounds<'_>) -> Option<String> {
    let free = rustix::fs::statvfs(bounds.folder).ok().map(|disk| disk.f_bavail * disk.f_frsize);
    if free.is_some_and(|free| free < FREE_BYTES) {
        return Some("ClientError: No space left on device: the job was ended before it filled this machine's disk".to_owned());
    }
    let size = |path| {
        let metadata = fs::symlink_metadata(path).ok()?;
        metadata.is_file().then(|| metadata.blocks() * 512)
    };
    let used: u64 = entries(bounds.folder).ok()?.into_iter().filter_map(size).sum();
    (used > bounds.bytes).then(|| {
        format!(
            "ClientError: No space left on device: the job's files take {} GB, and `VolumeSizeInGB` allows {}",
            used >> 30,
            bounds.bytes >> 30
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::record::{Record, State};

    async fn follow(script: &str, seconds: u64, is_stopped: bool, bytes: u64) -> (Exit, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let record = Record {
            kind: crate::jobs::kind::JobKind::Processing,
            name: "j".to_owned(),
            request: serde_json::json!({}),
            state: State::default(),
            created_ms: 0,
            modified_ms: 0,
        };
        let mut log = JobLog::open(&folder.path().join("logs"), &record);
        let argv = ["/bin/sh", "-c", script].map(OsString::from);
        let job = folder.path().join("job");
        fs::create_dir(&job).expect("created");
        let mut process =
            Process::spawn(&argv, &std::env::vars().collect(), &job).expect("started");
        let stop = CancellationToken::new();
        if is_stopped {
            let (stop, ready) = (stop.clone(), job.join("ready"));
            tokio::spawn(async move {
                while !ready.exists() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                stop.cancel();
            });
        }
        let bounds = Bounds {
            stop: &stop,
            deadline: Instant::now() + Duration::from_secs(seconds),
            grace: Duration::from_millis(200),
            folder: &job,
            bytes,
            started: None,
        };
        let exit = process.follow(&bounds, &mut log).await;
        let text = fs::read_to_string(folder.path().join("logs/ProcessingJobs.j.log"));
        (exit, text.unwrap_or_default())
    }

    #[tokio::test]
    async fn a_process_ends_whatever_it_does_and_the_log_says_how() {
        let deaf = "trap '' TERM; touch ready; while :; do sleep 0.05; done";
        let chatty = "i=0; while [ $i -lt 3000 ]; do echo 0123456789; i=$((i+1)); done";
        let large = "head -c 3000000 /dev/zero > big; sleep 60";
        for (script, seconds, is_stopped, bytes, expected, words) in [
            ("exit 3", 60, false, 1 << 30, Exit::Code(3), ""),
            ("kill -9 $$", 60, false, 1 << 30, Exit::Code(137), ""),
            ("sleep 60 & exit 0", 60, false, 1 << 30, Exit::Code(0), ""),
            ("touch ready; sleep 60", 60, true, 1 << 30, Exit::Stopped, "SIGTERM"),
            (deaf, 60, true, 1 << 30, Exit::Stopped, "SIGKILL"),
            ("sleep 60", 0, false, 1 << 30, Exit::OutOfTime, "SIGTERM"),
            (chatty, 60, false, 1 << 30, Exit::Code(0), "0123456789"),
        ] {
            let (exit, log) = follow(script, seconds, is_stopped, bytes).await;
            assert_eq!(exit, expected, "{script}");
            assert!(log.contains(words), "{script}: {log}");
        }
        let (exit, log) = follow(large, 60, false, 1 << 20).await;
        assert!(matches!(exit, Exit::Refused(_)), "{exit:?}");
        assert!(log.contains("VolumeSizeInGB"), "{log}");
    }
}
