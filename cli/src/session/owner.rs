//! What a command that runs an execution in a state folder of its own says and records there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sidestep_core::name::ExecutionId;
use sidestep_local::lambda::FunctionConfig;

use crate::drives::Beats;
use crate::output::error::CommandError;
use crate::published::{Published, PublishedRun, digests};

/// What the owner of the folder tells others, and what it drives.
#[derive(Debug)]
pub(crate) struct Owner {
    state: PathBuf,
    published: Published,
    run: PublishedRun,
    beats: Beats,
}

impl Owner {
    /// Tells others that this process owns the folder. Others may join it if it `is_open`.
    pub(crate) fn new(
        state: &Path,
        functions: &[FunctionConfig],
        is_open: bool,
    ) -> Result<Self, CommandError> {
        let owner = Self {
            state: state.to_owned(),
            published: Published::new(functions, false),
            run: PublishedRun { process: std::process::id(), is_open, ..PublishedRun::default() },
            beats: Beats::new(state),
        };
        owner.publish()?;
        Ok(owner)
    }

    /// Names the execution that the command itself follows.
    pub(crate) fn follow(&mut self, id: &ExecutionId, pipeline: &str) -> Result<(), CommandError> {
        self.run.execution = Some(id.clone());
        self.run.pipeline = Some(pipeline.to_owned());
        self.publish()
    }

    /// Returns the execution that the command itself follows.
    pub(crate) fn followed(&self) -> Option<&ExecutionId> {
        self.run.execution.as_ref()
    }

    /// Begins to drive an execution. Returns false if this process does so already.
    pub(crate) fn drive(&mut self, id: &ExecutionId) -> Result<bool, CommandError> {
        let is_new = self.run.driven.insert(id.clone());
        if is_new {
            let driven = self.run.driven.clone();
            self.beats.note(&driven);
            self.publish()?;
        }
        Ok(is_new)
    }

    /// Returns the executions that this process drives.
    pub(crate) fn driven(&self) -> &BTreeSet<ExecutionId> {
        &self.run.driven
    }

    /// Records which of the driven executions have not ended.
    pub(crate) fn note(&mut self, live: &[ExecutionId]) {
        let driven = live.iter().filter(|id| self.run.driven.contains(id)).cloned().collect();
        self.beats.note(&driven);
    }

    /// Returns true if the function is served with this code.
    pub(crate) fn serves(&self, function: &str, digest: &str) -> bool {
        self.published.functions.get(function).is_some_and(|served| served == digest)
    }

    /// Tells a command whether it was let in, and from now on serves its functions.
    pub(crate) fn answer(
        &mut self,
        ticket: &str,
        functions: &[FunctionConfig],
        problem: Option<String>,
    ) -> Result<(), CommandError> {
        self.published.functions.extend(digests(functions));
        self.run.joined.insert(ticket.to_owned(), problem);
        self.publish()
    }

    /// Forgets a command that has ended.
    pub(crate) fn forget(&mut self, ticket: &str) -> Result<(), CommandError> {
        self.run.joined.remove(ticket);
        self.publish()
    }

    /// Lets no other command join any more.
    pub(crate) fn close(&self) -> Result<(), CommandError> {
        Published::remove(&self.state)
    }

    fn publish(&self) -> Result<(), CommandError> {
        let run = Some(self.run.clone());
        Published { run, ..self.published.clone() }.write(&self.state)
    }
}
