//! A session with a cloud: one that this process starts, that of a running `sidestep up`, or AWS.

mod own;
mod setup;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use sidestep_aws::counter::Counter;
use sidestep_core::definition::Pipeline;
use sidestep_core::name::{ExecutionId, ParameterName};
use sidestep_core::parse::parse;
use sidestep_engine::engine::Engine;
use sidestep_engine::error::EngineError;
use sidestep_engine::memory::definitions::Definition;
use sidestep_engine::options::EngineOptions;
use sidestep_local::cloud::{Cloud, CloudError, Ports};
use sidestep_local::deployment::{
    cloud_engine, create_queues, create_resources, local_engine, register_step, replace_triggers,
    upload_files, with_handoff,
};
use sidestep_local::folder::{Endpoints, FolderError, published_endpoints};
use sidestep_local::lambda::FunctionConfig;

use self::setup::{register_all, watched};
use crate::output::error::{CommandError, user};
use crate::project::Project;
use crate::published::{Published, digests};
use crate::request::execution_id;
use crate::served::Served;
use crate::source_paths::SourcePaths;

/// Name in the counter of the part that starts executions.
pub(crate) const STARTER: &str = "starter";

/// How long a command waits until a running `sidestep up` serves the code that it has just built.
const CATCHING_UP: Duration = Duration::from_mins(1);

/// How often a session checks a state folder that another process uses.
pub(crate) const POLL: Duration = Duration::from_millis(50);

/// An engine, and the cloud behind it if this process started one.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) engine: Arc<Engine>,
    pub(crate) cloud: Option<Cloud>,
    /// Endpoints of the embedded cloud, in this process or another.
    pub(crate) endpoints: Option<Endpoints>,
    pub(crate) state: PathBuf,
    /// Starts executions instead of [`Session::engine`] if requests are counted.
    pub(crate) starter: Option<Engine>,
    /// Where the functions' code is, for the paths in their messages.
    pub(crate) sources: SourcePaths,
}

impl Session {
    /// Opens the project's state for reading, through another process's servers if there are any.
    pub(crate) async fn read(project: &Project) -> Result<Self, CommandError> {
        let state = project.state_folder();
        loop {
            if let Some(endpoints) = published_endpoints(&state) {
                return Ok(Self::joined(project, endpoints));
            }
            match Cloud::start(&state, Ports::default()).await {
                Ok(cloud) => {
                    // This session has no functions, so nothing may begin, and events wait for a
                    // command that has them.
                    create_resources(&cloud).await?;
                    let engine = Arc::new(cloud_engine(&cloud, watched(&state)));
                    let endpoints = Some(cloud.endpoints().clone());
                    return Ok(Self {
                        engine,
                        cloud: Some(cloud),
                        endpoints,
                        state,
                        starter: None,
                        sources: SourcePaths::of(&project.settings),
                    });
                }
                // The owner of the folder is about to publish its endpoints, or to end.
                Err(CloudError::Folder(FolderError::InUse { .. })) => {
                    tokio::time::sleep(POLL).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Joins a running `sidestep up`, or starts a cloud after other commands' clouds have ended.
    pub(crate) async fn run(
        project: &Project,
        functions: &[FunctionConfig],
        counter: Option<&Counter>,
    ) -> Result<Self, CommandError> {
        let mut has_waited = false;
        let until = Instant::now() + CATCHING_UP;
        loop {
            match Self::join(project, functions)? {
                Joined::Session(session) => return Ok(*session),
                Joined::Other { follows: true, .. } if Instant::now() < until => {
                    tokio::time::sleep(POLL).await;
                    continue;
                }
                Joined::Other { function, .. } => {
                    let problem =
                        format!("`sidestep up` serves different code for function `{function}`");
                    return Err(user(problem).hint("restart it"));
                }
                Joined::None => {}
            }
            let owned = Self::own_unless_in_use(project, functions, &[], counter, None).await?;
            if let Some(session) = owned {
                return Ok(session);
            }
            if !has_waited {
                eprintln!("another sidestep is running in this project: waiting until it ends");
            }
            has_waited = true;
            // Do not wait for the lock: an `up` never ends, but can be joined once it serves.
            tokio::time::sleep(POLL).await;
        }
    }

    /// Replaces the functions and triggers that this process serves. Executions that run keep the
    /// code and the definition with which they began.
    pub(crate) async fn replace(&self, old: &Served, new: &Served) -> Result<(), CommandError> {
        let Some(cloud) = &self.cloud else { return Ok(()) };
        let handoff = new.project.settings.engine.handoff;
        for function in &new.functions {
            register_step(cloud, with_handoff(function.clone(), handoff))?;
        }
        for source in &new.triggers {
            let Definition { text, format } = &source.definition;
            let parsed = parse(text.as_bytes(), *format).map_err(EngineError::Definition)?;
            self.create_queues(&parsed.pipeline, &source.values()).await?;
        }
        let registered = register_all(&self.engine, &new.triggers).await?;
        upload_files(cloud, new.project.uploads()?).await?;
        let before: Vec<_> = old.triggers.iter().map(|source| source.trigger.clone()).collect();
        Ok(replace_triggers(cloud, &self.engine, &before, &registered).await?)
    }

    /// Joins a running `sidestep up`, if there is one and it serves the same functions.
    fn join(project: &Project, functions: &[FunctionConfig]) -> Result<Joined, CommandError> {
        let state = project.state_folder();
        let Some(endpoints) = published_endpoints(&state) else { return Ok(Joined::None) };
        let Some(served) = Published::read(&state)? else { return Ok(Joined::None) };
        for (function, digest) in digests(functions) {
            if served.functions.get(&function) != Some(&digest) {
                if let Some(stale) = served.stale {
                    return Err(user(stale).hint("fix that first"));
                }
                return Ok(Joined::Other { function, follows: served.follows });
            }
        }
        Ok(Joined::Session(Box::new(Self::joined(project, endpoints))))
    }

    /// Returns a session over another process's endpoints.
    fn joined(project: &Project, endpoints: Endpoints) -> Self {
        let state = project.state_folder();
        let handoff = project.settings.engine.handoff;
        let options = EngineOptions { handoff, ..watched(&state) };
        let engine = Arc::new(local_engine(&endpoints, options));
        let sources = SourcePaths::of(&project.settings);
        Self { engine, cloud: None, endpoints: Some(endpoints), state, starter: None, sources }
    }

    /// Creates the queues of a pipeline's Callback steps in the embedded cloud: those that are
    /// known before an execution, and those that its parameters name. On AWS they exist.
    pub(crate) async fn create_queues(
        &self,
        pipeline: &Pipeline,
        parameters: &BTreeMap<ParameterName, Value>,
    ) -> Result<(), CommandError> {
        let Some(endpoints) = &self.endpoints else { return Ok(()) };
        let named = pipeline.queues().map(|queue| queue.resolve(parameters));
        let urls: BTreeSet<_> = named.chain(pipeline.queue_urls().map(Into::into)).collect();
        let given = urls.iter().map(|url| &**url).filter(|url| !url.is_empty());
        Ok(create_queues(endpoints, given).await?)
    }

    /// Returns the execution that the user names by an id, an ARN or `latest`.
    pub(crate) async fn execution(&self, text: &str) -> Result<ExecutionId, CommandError> {
        if text == "latest" {
            let newest = self.engine.executions().list(None, 1).await?;
            let latest = newest.into_iter().next().map(|summary| summary.execution_id);
            return latest.ok_or_else(|| {
                user("there are no executions yet").hint("`sidestep run PIPELINE` starts one")
            });
        }
        execution_id(text)
    }

    /// Waits until a store fails this process's planner, which only the user can fix. Waits for
    /// ever if the planner runs elsewhere.
    pub(crate) async fn planner_failed(&self) -> CommandError {
        let Some(cloud) = &self.cloud else { return std::future::pending().await };
        let mut failed = cloud.failed().subscribe();
        // The sender lives in the cloud, which this borrows.
        let failure =
            failed.wait_for(Option::is_some).await.ok().and_then(|failure| failure.clone());
        match failure {
            Some(failure) => failure.into(),
            None => std::future::pending().await,
        }
    }

    /// Ends the session; running functions get `grace` to finish.
    pub(crate) async fn close(self, grace: Duration) {
        if let Some(cloud) = self.cloud {
            cloud.shutdown(grace).await;
        }
    }
}

/// What became of an attempt to join a running `sidestep up`.
enum Joined {
    Session(Box<Session>),
    /// It serves other code of this function.
    Other {
        function: String,
        /// If true, it will serve this code soon.
        follows: bool,
    },
    /// None is running, or it does not serve others yet.
    None,
}
