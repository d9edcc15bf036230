//! The access key of an environment, by which the tracer knows its requests.

use bytes::Bytes;
use rustix::process::Pid;

use super::function::Command;
use crate::tracer::Tracer;

/// The variable of the access key in every SDK.
const VARIABLE: &str = "AWS_ACCESS_KEY_ID";

/// An access key, valid until this is dropped; or none, if nothing is traced.
#[derive(Debug)]
pub(super) struct Access {
    tracer: Option<(Tracer, String)>,
    /// If true, the function signs with a key of its own, and is known by its processes.
    signs_itself: bool,
}

impl Access {
    /// Takes an access key for an environment of the function.
    pub(super) fn open(tracer: Option<&Tracer>, command: &Command) -> Self {
        Self {
            tracer: tracer.map(|tracer| (tracer.clone(), tracer.open())),
            signs_itself: command.environment.contains_key(VARIABLE),
        }
    }

    /// Returns the variable that gives the key to the process.
    pub(super) fn variable(&self) -> Option<(String, String)> {
        let key = self.tracer.as_ref().filter(|_| !self.signs_itself);
        key.map(|(_, key)| (VARIABLE.to_owned(), key.clone()))
    }

    /// Says which processes the environment has.
    pub(super) fn started(&self, group: Pid) {
        if let Some((tracer, key)) = &self.tracer {
            tracer.started(key, group.as_raw_nonzero().get());
        }
    }

    /// Says that the environment begins to work on an attempt.
    pub(super) fn begin(&self, attempt: &str, event: &Bytes) {
        if let Some((tracer, key)) = &self.tracer {
            tracer.begin(key, attempt, event);
        }
    }

    /// Says that the environment has ended its attempt.
    pub(super) fn end(&self) {
        if let Some((tracer, key)) = &self.tracer {
            tracer.end(key);
        }
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        if let Some((tracer, key)) = &self.tracer {
            tracer.close(key);
        }
    }
}
