//! The operating system's side of an environment: spawn, limit, measure, kill.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use std::{env, future, io};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command as Spawn};

use super::function::{Command, Network};
use super::invocation::Function;
use crate::variables::SAGEMAKER;

/// Private memory that a function may use beyond its memory size, in MiB; see [`Command`].
#[cfg(target_os = "linux")]
const MEMORY_HEADROOM_MB: u64 = 1024;

/// How many files a function may open, as on Lambda.
#[cfg(target_os = "linux")]
const FILES: u64 = 1024;

/// The host's variables by which a function finds programs and folders.
const INHERITED: [&str; 3] = ["PATH", "HOME", "TMPDIR"];

/// The user's variables by which a function reaches AWS.
const OF_THE_USER: [&str; 19] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_ROLE_ARN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// How much is read at a time: the capacity of a pipe.
const CHUNK_BYTES: usize = 64 * 1024;

/// How many chunks are read when a pipe is emptied: more than a pipe can hold. A process that keeps
/// on writing does not hold the host up.
const DRAINED_CHUNKS: usize = 32;

/// A process of a function, which leads a process group of its own.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) child: Child,
    pub(super) output: Output,
    pub(super) group: Pid,
}

impl Process {
    /// Spawns the process with its memory limited and its output in one pipe.
    pub(super) fn spawn(
        command: &Command,
        environment: &BTreeMap<String, String>,
        memory_mb: u32,
    ) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let mut spawn = Spawn::new(&command.program);
        spawn
            .args(&command.args)
            .env_clear()
            .envs(INHERITED.iter().filter_map(|name| Some((name, env::var_os(name)?))))
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .kill_on_drop(true);
        if let Some(folder) = &command.working_dir {
            spawn.current_dir(folder);
        }
        let child = spawn.spawn()?;
        let group = child
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
            .ok_or_else(|| io::Error::other("the process has no id"))?;
        limit_memory(group, memory_mb);
        limit_files(group);
        let pipe = Some(pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?);
        Ok(Self { child, output: Output { pipe }, group })
    }

    /// Kills the process and everything it started that did not leave its group.
    pub(super) async fn kill(&mut self) {
        // Fails only when the whole group is gone already.
        let _ = kill_process_group(self.group, Signal::KILL);
        if let Err(error) = self.child.wait().await {
            tracing::warn!(%error, "could not wait for a killed function");
        }
    }

    /// Returns the most memory that the process has held at one time, in MB, if the system tells.
    pub(super) fn max_memory_used_mb(&self) -> Option<u64> {
        Some(self.status_kb("VmHWM:")?.div_ceil(1024))
    }

    /// Returns the memory that the process holds for itself now, in MB, if the system tells.
    ///
    /// Programs and libraries do not count: a debug build has more of them than Lambda would be
    /// given.
    pub(super) fn private_memory_mb(&self) -> Option<u64> {
        Some(self.status_kb("RssAnon:")?.div_ceil(1024))
    }

    /// Returns how long the process was ready to run and no core was free, if the system tells.
    ///
    /// <https://docs.kernel.org/scheduler/sched-stats.html>, `/proc/PID/schedstat`
    pub(super) fn waited_for_core(&self) -> Option<Duration> {
        let path = format!("/proc/{}/schedstat", self.group.as_raw_nonzero());
        let text = std::fs::read_to_string(path).ok()?;
        Some(Duration::from_nanos(text.split_whitespace().nth(1)?.parse().ok()?))
    }

    /// Returns a value of `/proc/PID/status` in KiB.
    fn status_kb(&self, name: &str) -> Option<u64> {
        let path = format!("/proc/{}/status", self.group.as_raw_nonzero());
        let status = std::fs::read_to_string(path).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    }
}

/// What a process prints: standard output and standard error in one pipe, which keeps their order.
#[derive(Debug)]
pub(super) struct Output {
    // None once the process has closed it.
    pipe: Option<pipe::Receiver>,
}

impl Output {
    /// Waits until there is output and reads it.
    ///
    /// Never returns once the process has closed its output.
    pub(super) async fn read(&mut self) -> Vec<u8> {
        loop {
            let Some(pipe) = &self.pipe else { return future::pending().await };
            let ready = pipe.readable().await;
            // Allocated only now, because most waits end without any output.
            let mut chunk = vec![0; CHUNK_BYTES];
            match ready.and_then(|()| pipe.try_read(&mut chunk)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(0) | Err(_) => self.pipe = None,
                Ok(read) => {
                    chunk.truncate(read);
                    return chunk;
                }
            }
        }
    }

    /// Empties the pipe into `take`.
    ///
    /// This asks the system and not tokio, whose view of the pipe may be older than a request that
    /// the process sent after it printed. So what was printed before a response is always in that
    /// invocation's log.
    pub(super) fn drain(&self, mut take: impl FnMut(&[u8])) {
        let Some(pipe) = &self.pipe else { return };
        let mut chunk = vec![0; CHUNK_BYTES];
        for _ in 0..DRAINED_CHUNKS {
            match rustix::io::read(pipe, chunk.as_mut_slice()) {
                Ok(0) | Err(_) => break,
                Ok(read) => take(&chunk[..read]),
            }
        }
    }
}

#[cfg(target_os = "linux")]
fn limit_memory(process: Pid, memory_mb: u32) {
    use rustix::process::{Resource, Rlimit, prlimit};

    let bytes = Some((u64::from(memory_mb) + MEMORY_HEADROOM_MB) * 1024 * 1024);
    if let Err(error) =
        prlimit(Some(process), Resource::Data, Rlimit { current: bytes, maximum: bytes })
    {
        tracing::debug!(%error, "the memory of a function is not limited");
    }
}

#[cfg(not(target_os = "linux"))]
fn limit_memory(_process: Pid, _memory_mb: u32) {}

/// Gives a function the open files that it has on Lambda: the host's own limit is raised.
#[cfg(target_os = "linux")]
fn limit_files(process: Pid) {
    use rustix::process::{Resource, Rlimit, getrlimit, prlimit};

    let host = getrlimit(Resource::Nofile).current.unwrap_or(FILES);
    let files = Some(FILES.min(host));
    if let Err(error) =
        prlimit(Some(process), Resource::Nofile, Rlimit { current: files, maximum: files })
    {
        tracing::debug!(%error, "the open files of a function are not limited");
    }
}

#[cfg(not(target_os = "linux"))]
fn limit_files(_process: Pid) {}

/// Returns the environment variables of a function, those of Lambda first.
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
pub(super) fn environment(
    function: &Function,
    command: &Command,
    region: &str,
    runtime_api: &str,
    shared: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let name = &function.config.name;
    let task_root = match &command.working_dir {
        Some(folder) => folder.clone(),
        None => env::current_dir().unwrap_or_default(),
    };
    let reserved = [
        ("AWS_LAMBDA_FUNCTION_NAME", name.to_string()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.config.memory_mb.to_string()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
        ("AWS_LAMBDA_LOG_STREAM_NAME", format!("[$LATEST]{}", uuid::Uuid::new_v4().simple())),
        ("AWS_LAMBDA_RUNTIME_API", runtime_api.to_owned()),
        ("AWS_REGION", region.to_owned()),
        ("AWS_DEFAULT_REGION", region.to_owned()),
        ("LAMBDA_TASK_ROOT", task_root.display().to_string()),
        ("_HANDLER", command.handler.clone()),
        ("TZ", ":UTC".to_owned()),
        ("LANG", "en_US.UTF-8".to_owned()),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime".to_owned()),
    ];
    // Runtimes that a function brings itself have none.
    let runtime = Some(&command.runtime).filter(|runtime| !runtime.starts_with("provided"));
    let execution = runtime.map(|runtime| ("AWS_EXECUTION_ENV", format!("AWS_Lambda_{runtime}")));
    let of_lambda =
        reserved.into_iter().chain(execution).map(|(name, value)| (name.to_owned(), value));
    let shared = match function.config.network {
        Network::Embedded => shared.clone(),
        Network::Aws => of_the_user(shared),
    };
    let own = command.environment.iter().map(|(name, value)| (name.clone(), value.clone()));
    of_lambda.chain(shared).chain(own).collect()
}

/// Returns the variables of a function that may reach AWS: the user's own in place of those that
/// refuse other services.
fn of_the_user(shared: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    // SageMaker on AWS has jobs and models, which the embedded API does not.
    let is_kept = |name: &str| {
        !name.starts_with("AWS_") || (name.starts_with("AWS_ENDPOINT_URL_") && name != SAGEMAKER)
    };
    let kept = shared
        .iter()
        .filter(|(name, _)| is_kept(name))
        .map(|(name, value)| (name.clone(), value.clone()));
    let of_user = OF_THE_USER.iter().filter_map(|name| {
        Some(((*name).to_owned(), env::var(name).ok().filter(|value| !value.is_empty())?))
    });
    kept.chain(of_user).collect()
}

/// Describes an exit in the words of Lambda.
///
/// A runtime has no reason to exit, so even status 0 is an error.
pub(super) fn describe_exit(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => "Runtime exited without providing a reason".to_owned(),
        (Some(code), _) => format!("Runtime exited with error: exit status {code}"),
        (None, Some(signal)) => {
            let name = match signal {
                4 => "illegal instruction",
                6 => "aborted",
                7 => "bus error",
                8 => "floating point exception",
                9 => "killed",
                11 => "segmentation fault",
                15 => "terminated",
                _ => return format!("Runtime exited with error: signal: {signal}"),
            };
            format!("Runtime exited with error: signal: {name}")
        }
        (None, None) => "Runtime exited".to_owned(),
    }
}
