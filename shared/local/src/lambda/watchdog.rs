//! Functions must not outlive their host, however the host dies.
//!
//! One shell process per host knows the process groups of all environments and reads from a pipe
//! that only the host holds open. When the host ends, also by `kill -9`, the pipe ends, and the
//! shell kills every group that is left. An idle function would mostly notice on its own, because
//! its Runtime API is gone; a busy one would not.
//!
//! What else was considered: `PR_SET_PDEATHSIG` reaches only the direct child, fires when the
//! *thread* that spawned it ends, exists on Linux alone, and needs either `unsafe` code between
//! fork and exec or another exec per cold start. The shell costs one idle process, is the same on
//! every Unix, and kills whole groups.
//!
//! Not covered: a process that leaves its group (`setsid`), and a host killed in the microseconds
//! between spawning an environment and naming it here.

use std::fs::File;
use std::io::Write;
use std::process::Stdio;

use parking_lot::Mutex;
use rustix::process::Pid;
use tokio::process::{Child, Command};

/// Reads `+ GROUP` and `- GROUP` lines. At the end of input it kills the groups that remain.
const SCRIPT: &str = r#"
trap '' HUP INT QUIT TERM
groups=" "
while read -r change group; do
    case $change in
        +) groups="$groups$group " ;;
        -) groups="${groups%%" $group "*} ${groups#*" $group "}" ;;
    esac
done
for group in $groups; do
    kill -s KILL -- "-$group"
done
"#;

/// The shell that outlives the host, and the pipe to it.
#[derive(Debug)]
pub(crate) struct Watchdog {
    // None once writing failed.
    pipe: Mutex<Option<File>>,
    // Kept so that the runtime reaps it.
    _shell: Option<Child>,
}

impl Watchdog {
    /// Starts the shell. Without a shell functions may outlive a killed host, and a warning says
    /// so.
    pub(crate) fn start() -> Self {
        let spawned = Command::new("sh")
            .args(["-c", SCRIPT, "sidestep-watchdog"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C goes to the terminal's group, and the shell must outlive the host to clean up.
            .process_group(0)
            .spawn();
        let mut shell = spawned
            .inspect_err(
                |error| tracing::warn!(%error, "no watchdog: functions may outlive the host"),
            )
            .ok();
        let stdin = shell.as_mut().and_then(|shell| shell.stdin.take());
        let pipe = stdin.and_then(|stdin| stdin.into_owned_fd().ok()).map(File::from);
        Self { pipe: Mutex::new(pipe), _shell: shell }
    }

    /// Adds a group that must not outlive the host.
    pub(crate) fn watch(&self, group: Pid) {
        self.write('+', group);
    }

    /// Forgets a group that is dead, before its id can be given to another process.
    pub(crate) fn forget(&self, group: Pid) {
        self.write('-', group);
    }

    fn write(&self, change: char, group: Pid) {
        let line = format!("{change} {}\n", group.as_raw_nonzero());
        let mut pipe = self.pipe.lock();
        if let Some(file) = pipe.as_mut()
            && let Err(error) = file.write_all(line.as_bytes())
        {
            tracing::warn!(%error, "the watchdog is gone: functions may outlive the host");
            *pipe = None;
        }
    }
}
