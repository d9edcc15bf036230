//! What an environment's process sees of the machine: its code, which it cannot change, and a
//! `/tmp` of its own.
//!
//! A function that wrote into its code folder would change what later runs execute under the same
//! digest. Permissions do not stop the superuser, and would keep users from removing the folder.
//! So on Linux the process gets mounts of its own. Where the system allows none, it works in a copy
//! of its code, and `TMPDIR` names a folder of its own.

mod copied;
mod mounted;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;

use super::function::Command;

/// The folder of functions' code below the state folder.
const CODE: &str = "functions";
/// The folder of environments' files below the state folder.
const ENVIRONMENTS: &str = "environments";

/// Makes the sandboxes of a host.
#[derive(Debug)]
pub(super) struct Sandboxes {
    /// The state folder; without one, processes see the machine as it is.
    state: Option<PathBuf>,
    /// Whether processes can have mounts of their own, once that was tried.
    can_mount: OnceLock<bool>,
}

impl Sandboxes {
    /// Removes what environments of earlier hosts have left in the state folder.
    pub(super) fn new(state: Option<PathBuf>) -> Self {
        if let Some(state) = &state {
            copied::remove(&state.join(ENVIRONMENTS));
        }
        Self { state, can_mount: OnceLock::new() }
    }

    /// Makes the sandbox of an environment, and returns how its process is started in there.
    pub(super) fn open(&self, id: u64, command: &Command) -> io::Result<(Sandbox, Command)> {
        let Some(state) = &self.state else { return Ok((Sandbox(None), command.clone())) };
        // The kernel resolves links on the way to a mount.
        let state = fs::canonicalize(state)?;
        let (code, environments) = (state.join(CODE), state.join(ENVIRONMENTS));
        fs::create_dir_all(&environments)?;
        let own = environments.join(id.to_string());
        // From here on, an error removes it again.
        let sandbox = Sandbox(Some(own.clone()));
        let can_mount = || mounted::is_possible(&own, &environments, &code);
        let command = if *self.can_mount.get_or_init(can_mount) {
            mounted::command(command, &own, &environments, &code)?
        } else {
            copied::command(command, &own, &code)?
        };
        Ok((sandbox, command))
    }
}

/// The file or folder of one environment, which is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Sandbox(Option<PathBuf>);

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(own) = &self.0
            && fs::remove_file(own).is_err()
        {
            copied::remove(own);
        }
    }
}
