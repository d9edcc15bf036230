//! A session with a cloud: one that this process starts, that of a running `sidestep up`, or AWS.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sidestep_aws::counter::Counter;
use sidestep_core::definition::Pipeline;
use sidestep_core::name::ExecutionId;
use sidestep_engine::engine::Engine;
use sidestep_engine::options::EngineOptions;
use sidestep_local::cloud::{Cloud, CloudError, Ports};
use sidestep_local::deployment::{
    Planner, cloud_engine, counted_cloud_engine, create_queues, create_resources, deploy,
    local_engine, pause_notifications, register_step, upload_files, with_handoff,
};
use sidestep_local::event_log::EventLog;
use sidestep_local::folder::{Endpoints, FolderError, published_endpoints};
use sidestep_local::lambda::{Code, FunctionConfig};

use crate::output::error::{CommandError, OrError as _, user};
use crate::project::Project;
use crate::request::execution_id;
use crate::source_paths::SourcePaths;
use crate::triggers::TriggerSource;

/// Name in the counter of the part that starts executions.
pub(crate) const STARTER: &str = "starter";

/// File in which `sidestep up` publishes the digests of its functions.
const SERVED: &str = "up.json";

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
        loop {
            if let Some(session) = Self::join(project, functions)? {
                return Ok(session);
            }
            let owned = Self::own_unless_in_use(project, functions, &[], counter).await?;
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

    /// Starts a cloud with these functions and triggers, and the project's files in its S3.
    pub(crate) async fn own(
        project: &Project,
        functions: &[FunctionConfig],
        triggers: &[TriggerSource],
        ports: Ports,
        counter: Option<&Counter>,
    ) -> Result<Self, CommandError> {
        let cloud = Cloud::start(&project.state_folder(), ports).await?;
        Self::around(cloud, project, functions, triggers, counter).await
    }

    /// Starts a cloud on free ports as [`Session::own`] does; returns `None` if another process
    /// uses the project's state.
    pub(crate) async fn own_unless_in_use(
        project: &Project,
        functions: &[FunctionConfig],
        triggers: &[TriggerSource],
        counter: Option<&Counter>,
    ) -> Result<Option<Self>, CommandError> {
        match Cloud::start(&project.state_folder(), Ports::default()).await {
            Err(CloudError::Folder(FolderError::InUse { .. })) => Ok(None),
            started => {
                Self::around(started?, project, functions, triggers, counter).await.map(Some)
            }
        }
    }

    /// Sets up a cloud that has just started.
    async fn around(
        mut cloud: Cloud,
        project: &Project,
        functions: &[FunctionConfig],
        triggers: &[TriggerSource],
        counter: Option<&Counter>,
    ) -> Result<Self, CommandError> {
        let state = project.state_folder();
        remove(&state.join(SERVED))?;
        if let Some(limit) = project.settings.engine.max_parallel {
            cloud.lambda().limit(limit.get());
        }
        let handoff = project.settings.engine.handoff;
        let make = |caller: &str, options: EngineOptions| match counter {
            Some(counter) => counted_cloud_engine(&cloud, &counter.for_caller(caller), options),
            None => cloud_engine(&cloud, options),
        };
        let options = EngineOptions { handoff, is_sole_planner: true, ..watched(&state) };
        let planner = Arc::new(make("planner", options));
        let options = EngineOptions { handoff, ..EngineOptions::default() };
        let starter = counter.map(|_| make(STARTER, options));
        for function in functions {
            let mut function = with_handoff(function.clone(), handoff);
            if let (Some(_), Code::Process(command)) = (counter, &mut function.code) {
                command.environment.insert("SIDESTEP_COUNT".to_owned(), "1".to_owned());
            }
            register_step(&cloud, function)?;
        }
        create_resources(&cloud).await?;
        let mut registered = Vec::new();
        for source in triggers {
            let mut trigger = source.trigger.clone();
            trigger.definition_digest = planner.register(&source.definition).await?;
            registered.push(trigger);
        }
        pause_notifications(&cloud, &registered).await?;
        upload_files(&cloud, project.uploads()?).await?;
        let place = counter.map_or(Planner::InProcess, |counter| Planner::Counted(counter.clone()));
        deploy(&mut cloud, &planner, &registered, place).await?;
        cloud.drained(Duration::from_secs(10)).await;
        cloud.folder().publish_endpoints(cloud.endpoints())?;
        let endpoints = Some(cloud.endpoints().clone());
        // What this command reads to show the execution is not counted.
        let engine = match counter {
            Some(_) => Arc::new(cloud_engine(&cloud, watched(&state))),
            None => planner,
        };
        let sources = SourcePaths::of(&project.settings);
        Ok(Self { engine, cloud: Some(cloud), endpoints, state, starter, sources })
    }

    /// Publishes the functions, so that other commands may run executions in this process.
    pub(crate) fn serve_others(&self, functions: &[FunctionConfig]) -> Result<(), CommandError> {
        let path = self.state.join(SERVED);
        let text = serde_json::to_string(&digests(functions))?;
        fs::write(&path, text).or_service(|| format!("could not write `{}`", path.display()))
    }

    /// Joins a running `sidestep up` that serves the same functions; returns `None` if none runs.
    fn join(project: &Project, functions: &[FunctionConfig]) -> Result<Option<Self>, CommandError> {
        let state = project.state_folder();
        let Some(endpoints) = published_endpoints(&state) else { return Ok(None) };
        let Ok(served) = fs::read_to_string(state.join(SERVED)) else { return Ok(None) };
        let served: BTreeMap<String, String> = serde_json::from_str(&served)?;
        for (name, digest) in digests(functions) {
            if served.get(&name) != Some(&digest) {
                let hint = "restart it";
                return Err(user(format!(
                    "`sidestep up` serves different code for function `{name}`"
                ))
                .hint(hint));
            }
        }
        Ok(Some(Self::joined(project, endpoints)))
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

    /// Creates the queues of a pipeline's Callback steps in the embedded cloud. On AWS they exist.
    pub(crate) async fn create_queues(&self, pipeline: &Pipeline) -> Result<(), CommandError> {
        let Some(endpoints) = &self.endpoints else { return Ok(()) };
        Ok(create_queues(endpoints, pipeline.queue_urls()).await?)
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

/// Options of an engine that writes down what changes in its executions.
fn watched(state: &Path) -> EngineOptions {
    EngineOptions { watcher: Some(Arc::new(EventLog::new(state))), ..EngineOptions::default() }
}

fn digests(functions: &[FunctionConfig]) -> BTreeMap<String, String> {
    functions
        .iter()
        .map(|function| (function.name.to_string(), function.code_sha256.clone()))
        .collect()
}

fn remove(path: &Path) -> Result<(), CommandError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).or_service(|| format!("could not remove `{}`", path.display()))
        }
        _ => Ok(()),
    }
}
