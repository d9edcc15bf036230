//! How long a process has waited for a core.

use std::time::Duration;

use crate::lambda::process::Process;

/// Returns how much longer a process may initialise because it was ready and no core ran it.
///
/// On Lambda, no other environment takes its core. `None` if it had its time.
pub(super) fn waited_for_core(process: &Process, counted: &mut Duration) -> Option<Duration> {
    /// Below this, it is the system's own work.
    const LEAST: Duration = Duration::from_millis(100);
    let waited = process.waited_for_core()?;
    let more = waited.checked_sub(*counted).filter(|more| *more >= LEAST)?;
    *counted = waited;
    Some(more)
}
