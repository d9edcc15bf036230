//! Lets other commands of the project join this one while it runs an execution.
//!
//! The process that owns the state folder serves it alone. So that a step or a callback that takes
//! long holds up no other `run`, it also serves the functions that others need and drives their
//! executions. When its own has ended, one of the others becomes the owner and continues.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use sidestep_core::name::ExecutionId;
use sidestep_engine::sweep::Leases;
use sidestep_local::deployment::{register_step, upload_files, with_handoff};
use sidestep_local::folder::published_endpoints;
use sidestep_local::lambda::FunctionConfig;
use tokio::time::{Instant, interval_at};

use super::owner::Owner;
use super::ticket::{Join, Ticket, tickets};
use super::{POLL, Session};
use crate::drives::BEAT;
use crate::functions;
use crate::output::error::{CommandError, user};
use crate::project::Project;
use crate::published::digests;
use crate::rights::guard;

/// How often executions of commands that joined are looked after.
const SWEEP: Duration = Duration::from_mins(1);

/// How long an owner whose services fail may take to be gone.
const ENDING: Duration = Duration::from_secs(10);

impl Session {
    /// Tells others that this command runs an execution here, if it owns the state folder.
    pub(crate) fn open(
        &mut self,
        functions: &[FunctionConfig],
        is_open: bool,
    ) -> Result<(), CommandError> {
        if self.cloud.is_some() {
            self.owner = Some(Mutex::new(Owner::new(&self.state, functions, is_open)?));
        }
        Ok(())
    }

    /// Tells others that this command follows an execution that is about to begin, or that another
    /// process drives already.
    pub(crate) fn follows(&self, id: &ExecutionId, pipeline: &str) -> Result<(), CommandError> {
        if let Some(mut owner) = self.owner() {
            owner.follow(id, pipeline)?;
            owner.drive(id)?;
        }
        match self.ticket() {
            Some(mut ticket) => ticket.follow(id, false),
            None => Ok(()),
        }
    }

    /// Continues an execution whose process has ended, here or in the process that this one joined.
    pub(crate) async fn take_up(
        &self,
        id: &ExecutionId,
        pipeline: &str,
    ) -> Result<(), CommandError> {
        if let Some(mut ticket) = self.ticket() {
            return ticket.follow(id, true);
        }
        if let Some(mut owner) = self.owner() {
            owner.follow(id, pipeline)?;
        }
        self.drive(id).await
    }

    /// Lets other commands join, looks after their executions and records that they are driven,
    /// until the future is dropped.
    pub(crate) async fn host(&self) -> Result<Infallible, CommandError> {
        if self.owner.is_none() {
            return std::future::pending().await;
        }
        let mut known = BTreeMap::new();
        let mut beat = interval_at(Instant::now() + BEAT, BEAT);
        let mut sweep = interval_at(Instant::now() + SWEEP, SWEEP);
        loop {
            tokio::select! {
                () = tokio::time::sleep(POLL) => self.admit_all(&mut known).await?,
                _ = beat.tick() => self.note_driven().await?,
                _ = sweep.tick() => self.sweep_joined().await,
            }
        }
    }

    /// Leaves the folder to the commands that have joined, if there are any: lets their functions
    /// finish and begins no others.
    pub(crate) async fn hand_over(&self) {
        let Some(cloud) = &self.cloud else { return };
        let Some(closed) = self.owner().map(|owner| owner.close()) else { return };
        if let Err(error) = closed.and(self.note_driven().await) {
            eprintln!("note: {}", error.one_line());
        }
        if tickets(&self.state).is_empty() {
            return;
        }
        let mut beat = interval_at(Instant::now() + BEAT, BEAT);
        let mut is_told = false;
        let drained = cloud.drain();
        tokio::pin!(drained);
        loop {
            tokio::select! {
                () = &mut drained => return,
                // The other commands begin these attempts again.
                _ = tokio::signal::ctrl_c() => return,
                _ = beat.tick() => {
                    // A failure is reported by the commands that continue.
                    let _ = self.note_driven().await;
                    if !std::mem::replace(&mut is_told, true) {
                        eprintln!("waiting for functions that run here for other commands; Ctrl-C ends them");
                    }
                }
            }
        }
    }

    /// Waits until the process that this one has joined has ended. Waits for ever if this one has
    /// joined none that ends.
    pub(crate) async fn owner_gone(&self) {
        if self.ticket.is_none() {
            return std::future::pending().await;
        }
        while published_endpoints(&self.state) == self.endpoints {
            tokio::time::sleep(POLL).await;
        }
    }

    /// Returns true if the process that this one has joined has ended, or is about to.
    pub(crate) async fn has_lost_owner(&self) -> bool {
        self.ticket.is_some() && tokio::time::timeout(ENDING, self.owner_gone()).await.is_ok()
    }

    /// Returns the executions that living commands follow in the process that this one has joined.
    pub(crate) fn followed_by_others(&self) -> Vec<ExecutionId> {
        let own = self.ticket().map(|ticket| ticket.name().to_owned());
        let others =
            tickets(&self.state).into_iter().filter(|(name, _)| own.as_ref() != Some(name));
        others.filter_map(|(_, join)| join.execution).collect()
    }

    async fn admit_all(&self, known: &mut BTreeMap<String, Join>) -> Result<(), CommandError> {
        let mut asked = tickets(&self.state);
        asked.retain(|_, join| join.owner == std::process::id());
        for gone in known.keys().filter(|name| !asked.contains_key(*name)) {
            self.owner().map_or(Ok(()), |mut owner| owner.forget(gone))?;
        }
        known.retain(|name, _| asked.contains_key(name));
        for (name, join) in asked {
            let before = known.insert(name.clone(), join.clone());
            if before.as_ref() == Some(&join) {
                continue;
            }
            if before.is_none_or(|before| before.functions != join.functions) {
                self.admit(&name, &join).await?;
            }
            match &join.execution {
                Some(id) if join.is_interrupted => self.drive(id).await?,
                // It has begun in the other process, through the services of this one.
                Some(id) => drop(self.owner().map_or(Ok(true), |mut owner| owner.drive(id))?),
                None => {}
            }
        }
        Ok(())
    }

    /// Serves the functions of a command, or tells it why not.
    async fn admit(&self, name: &str, join: &Join) -> Result<(), CommandError> {
        let served = self.serve_for(join).await;
        let Some(mut owner) = self.owner() else { return Ok(()) };
        match served {
            Ok(functions) => owner.answer(name, &functions, None),
            Err(error) => owner.answer(name, &[], Some(error.one_line())),
        }
    }

    async fn serve_for(&self, join: &Join) -> Result<Vec<FunctionConfig>, CommandError> {
        let Some(cloud) = &self.cloud else { return Ok(Vec::new()) };
        let asked = join.clone();
        let prepared = tokio::task::spawn_blocking(move || {
            let project = Project::find(Some(&asked.project))?;
            let names: Vec<_> = asked.functions.keys().cloned().collect();
            let ready = functions::prepare(&project, &names)?;
            let uploads = project.uploads()?;
            Ok::<_, CommandError>((ready.functions, uploads, project))
        });
        let (functions, uploads, project) =
            prepared.await.unwrap_or_else(|error| Err(std::io::Error::other(error).into()))?;
        if digests(&functions) != join.functions {
            return Err(user("its functions were edited meanwhile"));
        }
        let handoff = project.settings.engine.handoff;
        cloud.guard(guard(&project));
        for function in &functions {
            let (name, digest) = (function.name.to_string(), &function.code_sha256);
            if !self.owner().is_some_and(|owner| owner.serves(&name, digest)) {
                register_step(cloud, with_handoff(function.clone(), handoff))?;
            }
        }
        upload_files(cloud, uploads).await?;
        Ok(functions)
    }

    /// Drives an execution whose process has ended, unless this process does so already.
    async fn drive(&self, id: &ExecutionId) -> Result<(), CommandError> {
        let is_new = self.owner().map_or(Ok(true), |mut owner| owner.drive(id))?;
        if is_new {
            self.engine.resume(id, Leases::All).await?;
        }
        Ok(())
    }

    async fn note_driven(&self) -> Result<(), CommandError> {
        let live = self.engine.executions().live().await?;
        if let Some(mut owner) = self.owner() {
            owner.note(&live);
        }
        Ok(())
    }

    /// Looks after the executions of other commands. A failure is left to the next time.
    async fn sweep_joined(&self) {
        let driven = self.owner().map(|owner| {
            let of_others = owner.driven().iter().filter(|id| owner.followed() != Some(id));
            of_others.cloned().collect::<Vec<_>>()
        });
        for id in driven.into_iter().flatten() {
            if let Err(error) = self.engine.resume(&id, Leases::ByTime).await {
                tracing::warn!(execution_id = %id, %error, "could not look after an execution");
            }
        }
    }

    fn owner(&self) -> Option<MutexGuard<'_, Owner>> {
        self.owner.as_ref().and_then(|owner| owner.lock().ok())
    }

    fn ticket(&self) -> Option<MutexGuard<'_, Ticket>> {
        self.ticket.as_ref().and_then(|ticket| ticket.lock().ok())
    }
}
