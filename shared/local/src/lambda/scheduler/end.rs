//! How a host comes to its end: what runs may finish, and nothing else begins.

use sidestep_core::name::FunctionName;

use super::Scheduler;

impl Scheduler {
    /// Lets nothing begin in a process any more. Queued events of processes wait, and functions of
    /// the host's own process still run.
    pub(in crate::lambda) fn drain(&self) {
        self.lock().is_draining = true;
    }

    /// Counts an attempt whose outcome is to be passed on, or has been.
    pub(in crate::lambda) fn settling(&self, begins: bool) {
        let mut state = self.lock();
        state.settling = if begins { state.settling + 1 } else { state.settling - 1 };
        drop(state);
        self.changed.notify_waiters();
    }

    /// Returns true if nothing runs, and nothing waits that may still run after
    /// [`Scheduler::drain`].
    pub(in crate::lambda) fn is_drained(&self) -> bool {
        let state = self.lock();
        let mut entries = state.functions.values();
        state.running == 0
            && state.settling == 0
            && entries.all(|entry| entry.function.is_process() || entry.queue.is_empty())
    }

    /// Removes a function: no request finds it any more.
    pub(in crate::lambda) fn unregister(&self, name: &FunctionName) {
        if let Some(entry) = self.lock().functions.get_mut(name) {
            entry.is_gone = true;
            entry.idle.clear();
        }
    }

    /// Refuses new work, drops queued events and ends idle environments.
    pub(in crate::lambda) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.queued_bytes = 0;
        for entry in state.functions.values_mut() {
            entry.queue.clear();
            entry.idle.clear();
        }
    }
}
