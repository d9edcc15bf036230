//! A session with a cloud: one that this process starts, that of a running `sidestep up`, or AWS.

mod host;
pub(crate) mod join;
mod own;
mod owner;
mod setup;
pub(crate) mod ticket;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use sidestep_api::{Admission, Api, answering};
use sidestep_aws::table::DynamoTable;
use sidestep_core::definition::Pipeline;
use sidestep_core::name::{ExecutionId, ParameterName};
use sidestep_core::parse::parse;
use sidestep_engine::engine::Engine;
use sidestep_engine::error::EngineError;
use sidestep_engine::memory::definitions::Definition;
use sidestep_local::clients::serve_clients;
use sidestep_local::cloud::{Cloud, CloudError, Ports, config_of};
use sidestep_local::deployment::{
    TABLE, cloud_engine, create_queues, create_resources, register_step, replace_triggers,
    serve_queues, upload_files, with_handoff,
};
use sidestep_local::folder::{Endpoints, FolderError, published_endpoints};

use self::owner::Owner;
use self::setup::{register_all, watched};
use self::ticket::Ticket;
use crate::jobs::job_operations;
use crate::output::error::{CommandError, user};
use crate::project::Project;
use crate::request::execution_id;
use crate::rights::guard;
use crate::served::Served;
use crate::source_paths::SourcePaths;

/// Name in the counter of the part that starts executions.
pub(crate) const STARTER: &str = "starter";

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
    /// What this process tells others, if it runs an execution and owns the state folder.
    pub(crate) owner: Option<Mutex<Owner>>,
    /// What this process asks of another one that runs an execution and owns the state folder.
    pub(crate) ticket: Option<Mutex<Ticket>>,
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
                        owner: None,
                        ticket: None,
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

    /// Replaces the functions and triggers that this process serves. Executions that run keep the
    /// code and the definition with which they began.
    pub(crate) async fn replace(&self, old: &Served, new: &Served) -> Result<(), CommandError> {
        let Some(cloud) = &self.cloud else { return Ok(()) };
        let handoff = new.project.settings.engine.handoff;
        cloud.guard(guard(&new.project));
        for function in &new.functions {
            register_step(cloud, with_handoff(function.clone(), handoff))?;
        }
        for source in &new.triggers {
            let Definition { text, format } = &source.definition;
            let parsed = parse(text.as_bytes(), *format).map_err(EngineError::Definition)?;
            self.create_queues(&parsed.pipeline, &source.values()).await?;
        }
        let registered = register_all(&self.engine, &new.triggers).await?;
        serve_queues(cloud, &new.functions).await?;
        upload_files(cloud, new.project.uploads()?).await?;
        let before: Vec<_> = old.triggers.iter().map(|source| source.trigger.clone()).collect();
        Ok(replace_triggers(cloud, &self.engine, &before, &registered).await?)
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

    /// Returns SageMaker's API over this session. `left_out` says why functions cannot run here.
    pub(crate) fn api(&self, left_out: BTreeMap<String, String>) -> Result<Arc<Api>, CommandError> {
        let gone = || user("`sidestep up` has just ended").hint("try again");
        let endpoints = self.endpoints.as_ref().ok_or_else(gone)?;
        let base = match &self.cloud {
            Some(cloud) => cloud.config(),
            None => config_of(&endpoints.credentials),
        };
        let config = base.into_builder().endpoint_url(&endpoints.dynamodb).build();
        let store = Arc::new(DynamoTable::new(&config, TABLE));
        let api = Api::new(Arc::clone(&self.engine), store, left_out);
        Ok(Arc::new(api.with_others(job_operations(self.cloud.as_ref()))))
    }

    /// Lets clients in on the one address of this session's cloud, if it has one.
    pub(crate) async fn serve_address(
        &self,
        api: &Arc<Api>,
        admission: Admission,
    ) -> Result<(), CommandError> {
        let Some(cloud) = &self.cloud else { return Ok(()) };
        cloud.answer_sagemaker(answering(Arc::clone(api), admission));
        Ok(serve_clients(cloud).await?)
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
