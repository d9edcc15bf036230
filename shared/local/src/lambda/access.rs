//! The access key of an environment, by which the tracer knows its requests.

use bytes::Bytes;
use rustix::process::Pid;

use super::function::Command;
use crate::tracer::Tracer;

/// The variable of the access key in every SDK.
const VARIABLE: &str = "AWS_ACCESS_KEY_ID";

/// An access key, valid until this is dropped; or none, if the function signs as it likes.
#[derive(Debug)]
pub(super) struct Access(Option<(Tracer, String)>);

impl Access {
    /// Takes an access key for an environment of the function.
    pub(super) fn open(tracer: Option<&Tracer>, command: &Command) -> Self {
        let own = command.environment.contains_key(VARIABLE);
        Self(tracer.filter(|_| !own).map(|tracer| (tracer.clone(), tracer.open())))
    }

    /// Returns the variable that gives the key to the process.
    pub(super) fn variable(&self) -> Option<(String, String)> {
        self.0.as_ref().map(|(_, key)| (VARIABLE.to_owned(), key.clone()))
    }

    /// Says which processes the environment has.
    pub(super) fn started(&self, group: Pid) {
        if let Some((tracer, key)) = &self.0 {
            tracer.started(key, group.as_raw_nonzero().get());
        }
    }

    /// Says that the environment begins to work on an attempt.
    pub(super) fn begin(&self, attempt: &str, event: &Bytes) {
        if let Some((tracer, key)) = &self.0 {
            tracer.begin(key, attempt, event);
        }
    }

    /// Says that the environment has ended its attempt.
    pub(super) fn end(&self) {
        if let Some((tracer, key)) = &self.0 {
            tracer.end(key);
        }
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        if let Some((tracer, key)) = &self.0 {
            tracer.close(key);
        }
    }
}
