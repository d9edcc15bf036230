//! A session with a cloud: one that this process starts, that of a running `sidestep up`, or AWS.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sidestep_aws::counter::Counter;
use sidestep_core::definition::Pipeline;
use sidestep_core::event::trigger::Trigger;
use sidestep_core::name::{ExecutionId, ParameterName};
use sidestep_core::parse::parse;
use sidestep_engine::engine::Engine;
use sidestep_engine::error::EngineError;
use sidestep_engine::memory::definitions::Definition;
use sidestep_engine::options::EngineOptions;
use sidestep_engine::ports::freshness::Freshness;
use sidestep_local::cloud::{Cloud, CloudError, Ports};
use sidestep_local::deployment::{
    Planner, cloud_engine, counted_cloud_engine, create_queues, create_resources, deploy,
    local_engine, pause_notifications, register_step, replace_triggers, upload_files, with_handoff,
};
use sidestep_local::event_log::EventLog;
use sidestep_local::folder::{Endpoints, FolderError, published_endpoints};
use sidestep_local::lambda::{Code, FunctionConfig};

use crate::output::error::{CommandError, OrError as _, user};
use crate::project::Project;
use crate::request::execution_id;
use crate::served::Served;
use crate::source_paths::SourcePaths;
use crate::triggers::TriggerSource;

/// Name in the counter of the part that starts executions.
pub(crate) const STARTER: &str = "starter";

/// File in which `sidestep up` publishes what it serves.
const SERVED: &str = "up.json";

/// How long a command waits until a running `sidestep up` serves the code that it has just built.
const CATCHING_UP: Duration = Duration::from_mins(1);

/// What a process that serves others tells them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Published {
    /// Digests of the functions, by name.
    functions: BTreeMap<String, String>,
    /// If true, it serves edited functions a moment after the edit.
    #[serde(default)]
    follows: bool,
    /// Why it cannot use the project's files as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stale: Option<String>,
}

impl Published {
    pub(crate) fn new(functions: &[FunctionConfig], follows: bool) -> Self {
        Self { functions: digests(functions), follows, stale: None }
    }

    /// Returns what the process that owns the state folder has published.
    pub(crate) fn read(state: &Path) -> Result<Option<Self>, CommandError> {
        if published_endpoints(state).is_none() {
            return Ok(None);
        }
        let Ok(text) = fs::read_to_string(state.join(SERVED)) else { return Ok(None) };
        Ok(Some(serde_json::from_str(&text)?))
    }
}

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

    /// Starts a cloud with these functions and triggers, and the project's files in its S3.
    pub(crate) async fn own(
        project: &Project,
        functions: &[FunctionConfig],
        triggers: &[TriggerSource],
        ports: Ports,
        freshness: Arc<dyn Freshness>,
    ) -> Result<Self, CommandError> {
        let cloud = Cloud::start(&project.state_folder(), ports).await?;
        Self::around(cloud, project, functions, triggers, None, Some(freshness)).await
    }

    /// Starts a cloud on free ports as [`Session::own`] does; returns `None` if another process
    /// uses the project's state.
    pub(crate) async fn own_unless_in_use(
        project: &Project,
        functions: &[FunctionConfig],
        triggers: &[TriggerSource],
        counter: Option<&Counter>,
        freshness: Option<Arc<dyn Freshness>>,
    ) -> Result<Option<Self>, CommandError> {
        match Cloud::start(&project.state_folder(), Ports::default()).await {
            Err(CloudError::Folder(FolderError::InUse { .. })) => Ok(None),
            started => {
                let started = started?;
                let own =
                    Self::around(started, project, functions, triggers, counter, freshness).await?;
                Ok(Some(own))
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
        freshness: Option<Arc<dyn Freshness>>,
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
        let options =
            EngineOptions { handoff, is_sole_planner: true, freshness, ..watched(&state) };
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
        let registered = register_all(&planner, triggers).await?;
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

    /// Publishes what this process serves, so that other commands may run executions in it.
    pub(crate) fn serve_others(&self, published: &Published) -> Result<(), CommandError> {
        let path = self.state.join(SERVED);
        let text = serde_json::to_string(published)?;
        // As a whole: another command may read at any moment.
        let temporary = self.state.join(format!("{SERVED}.new"));
        fs::write(&temporary, text)
            .and_then(|()| fs::rename(&temporary, &path))
            .or_service(|| format!("could not write `{}`", path.display()))
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

    /// Creates the queues of a pipeline's Callback steps in the embedded cloud: those that are known
    /// before an execution, and those that its parameters name. On AWS they exist.
    pub(crate) async fn create_queues(
        &self,
        pipeline: &Pipeline,
        parameters: &BTreeMap<ParameterName, Value>,
    ) -> Result<(), CommandError> {
        let Some(endpoints) = &self.endpoints else { return Ok(()) };
        let named = pipeline.queues().map(|queue| queue.resolve(parameters));
        let urls: BTreeSet<_> = named.chain(pipeline.queue_urls().map(Into::into)).collect();
        let urls = urls.iter().map(|url| &**url).filter(|url| !url.is_empty());
        Ok(create_queues(endpoints, urls).await?)
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
    EngineOptions {
        watcher: Some(Arc::new(EventLog::new(state))),
        // A write costs nothing here.
        touch_after: Duration::from_secs(1),
        ..EngineOptions::default()
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

/// Stores the definitions of triggers, and returns the triggers with their digests.
async fn register_all(
    engine: &Engine,
    sources: &[TriggerSource],
) -> Result<Vec<Trigger>, CommandError> {
    let mut registered = Vec::new();
    for source in sources {
        let mut trigger = source.trigger.clone();
        trigger.definition_digest = engine.register(&source.definition).await?;
        registered.push(trigger);
    }
    Ok(registered)
}

/// Returns the digests of functions by name.
pub(crate) fn digests(functions: &[FunctionConfig]) -> BTreeMap<String, String> {
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
