//! The access key of an environment, by which the tracer knows its requests.

use std::collections::BTreeMap;

use bytes::Bytes;
use rustix::process::Pid;
use sidestep_admission::Credentials;

use super::function::Command;
use crate::tracer::Tracer;

/// The variables of the access key in every SDK.
const VARIABLE: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
/// The variable of the key with which the planner in a step's process signs: `ID:SECRET`.
const PLANNER: &str = "SIDESTEP_PLANNER_KEY";

/// The access keys of an environment, valid until this is dropped; or none, if nothing is traced.
#[derive(Debug)]
pub(super) struct Access {
    tracer: Option<(Tracer, Credentials)>,
    /// The key of the planner in the process.
    planner: Option<Credentials>,
    /// If true, the function signs with a key of its own, and is known by its processes.
    signs_itself: bool,
}

impl Access {
    /// Takes an access key for an environment of function `name`, from the one that `given` holds.
    pub(super) fn open(
        tracer: Option<&Tracer>,
        name: &str,
        command: &Command,
        given: &BTreeMap<String, String>,
    ) -> Self {
        let part = |name| given.get(name).cloned().unwrap_or_default();
        let root = Credentials { access_key_id: part(VARIABLE), secret_access_key: part(SECRET) };
        let keys = tracer.map(|tracer| (tracer.clone(), tracer.open(&root, name)));
        let (tracer, planner) =
            keys.map(|(tracer, (own, planner))| ((tracer, own), planner)).unzip();
        Self { tracer, planner, signs_itself: command.environment.contains_key(VARIABLE) }
    }

    /// Returns the variables that give the keys to the process.
    pub(super) fn variables(&self) -> impl Iterator<Item = (String, String)> {
        let key = self.tracer.as_ref().filter(|_| !self.signs_itself).map(|(_, key)| key);
        let own = key.map(|key| {
            [(VARIABLE, key.access_key_id.clone()), (SECRET, key.secret_access_key.clone())]
        });
        let planner = self
            .planner
            .as_ref()
            .map(|key| [(PLANNER, format!("{}:{}", key.access_key_id, key.secret_access_key))]);
        let all = own.into_iter().flatten().chain(planner.into_iter().flatten());
        all.map(|(name, value)| (name.to_owned(), value))
    }

    /// Says which processes the environment has.
    pub(super) fn started(&self, group: Pid) {
        if let Some((tracer, key)) = &self.tracer {
            tracer.started(&key.access_key_id, group.as_raw_nonzero().get());
        }
    }

    /// Says that the environment begins to work on an attempt.
    pub(super) fn begin(&self, attempt: &str, event: &Bytes) {
        if let Some((tracer, key)) = &self.tracer {
            tracer.begin(&key.access_key_id, attempt, event);
        }
    }

    /// Says that the environment has ended its attempt.
    pub(super) fn end(&self) {
        if let Some((tracer, key)) = &self.tracer {
            tracer.end(&key.access_key_id);
        }
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        if let Some((tracer, key)) = &self.tracer {
            tracer.close(&key.access_key_id);
        }
    }
}
