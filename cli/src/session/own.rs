//! A session with a cloud that this process starts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sidestep_api::{Admission, Api};
use sidestep_aws::counter::Counter;
use sidestep_aws::table::DynamoTable;
use sidestep_engine::engine::Engine;
use sidestep_engine::options::EngineOptions;
use sidestep_engine::ports::freshness::Freshness;
use sidestep_local::cloud::{Cloud, CloudError, Ports, config_of};
use sidestep_local::deployment::{
    Planner, TABLE, cloud_engine, counted_cloud_engine, create_resources, deploy,
    pause_notifications, register_step, serve_queues, upload_files, with_handoff,
};
use sidestep_local::folder::{FolderError, StateFolder};
use sidestep_local::lambda::{Code, FunctionConfig};
use tokio::net::TcpListener;

use super::setup::{register_all, watched};
use super::{STARTER, Session};
use crate::api_functions::MachineRuntimes;
use crate::jobs::{ProjectImages, job_operations};
use crate::output::error::CommandError;
use crate::project::Project;
use crate::published::Published;
use crate::rights::guard;
use crate::source_paths::SourcePaths;
use crate::triggers::TriggerSource;
use crate::used_code::note_use;

impl Session {
    /// Starts a cloud with these functions and triggers, and the project's files in its S3.
    ///
    /// `address` is the one on which all services are.
    pub(crate) async fn own(
        project: &Project,
        functions: &[FunctionConfig],
        triggers: &[TriggerSource],
        (ports, address): (Ports, TcpListener),
        freshness: Arc<dyn Freshness>,
    ) -> Result<Self, CommandError> {
        let folder = StateFolder::open(&project.state_folder()).map_err(CloudError::from)?;
        let cloud = Cloud::start_in(folder, ports, Some(address)).await?;
        Self::around(cloud, project, functions, triggers, None, Some(freshness)).await
    }

    /// Starts a cloud on free ports as [`Session::own`] does; returns `None` if another process
    /// uses the project's state. Only then `address` is left.
    pub(crate) async fn own_unless_in_use(
        project: &Project,
        functions: &[FunctionConfig],
        triggers: &[TriggerSource],
        counter: Option<&Counter>,
        freshness: Option<Arc<dyn Freshness>>,
        address: &mut Option<TcpListener>,
    ) -> Result<Option<Self>, CommandError> {
        let folder = match StateFolder::open(&project.state_folder()) {
            Err(FolderError::InUse { .. }) => return Ok(None),
            opened => opened.map_err(CloudError::from)?,
        };
        let cloud = Cloud::start_in(folder, Ports::default(), address.take()).await?;
        let own = Self::around(cloud, project, functions, triggers, counter, freshness).await?;
        Ok(Some(own))
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
        Published::remove(&state)?;
        note_use(&state, functions);
        cloud.guard(guard(project));
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
        for why in cloud.accept_functions(Arc::new(MachineRuntimes::new(project))) {
            eprintln!("note: {why}");
        }
        create_resources(&cloud).await?;
        let registered = register_all(&planner, triggers).await?;
        pause_notifications(&cloud, &registered).await?;
        upload_files(&cloud, project.uploads()?).await?;
        let place = counter.map_or(Planner::InProcess, |counter| Planner::Counted(counter.clone()));
        deploy(&mut cloud, &planner, &registered, place).await?;
        serve_queues(&cloud, functions).await?;
        cloud.jobs().set_images(Arc::new(ProjectImages::of(project)));
        cloud.jobs().start().map_err(CloudError::from)?;
        serve_api(&mut cloud, &planner);
        cloud.drained(Duration::from_secs(10)).await;
        cloud.folder().publish_endpoints(cloud.endpoints())?;
        let endpoints = Some(cloud.endpoints().clone());
        // What this command reads to show the execution is not counted.
        let engine = match counter {
            Some(_) => Arc::new(cloud_engine(&cloud, watched(&state))),
            None => planner,
        };
        let sources = SourcePaths::of(&project.settings);
        let (owner, ticket) = (None, None);
        let cloud = Some(cloud);
        Ok(Self { engine, cloud, endpoints, state, starter, owner, ticket, sources })
    }
}

/// Answers the calls that functions make of SageMaker.
fn serve_api(cloud: &mut Cloud, planner: &Arc<Engine>) {
    let base = config_of(&cloud.endpoints().credentials).into_builder();
    let config = base.endpoint_url(&cloud.endpoints().dynamodb).build();
    let store = Arc::new(DynamoTable::new(&config, TABLE));
    let pipelines = Api::new(planner.clone(), store, BTreeMap::new());
    let api = Arc::new(pipelines.with_others(job_operations(Some(cloud))));
    cloud.serve_sagemaker(|listener| sidestep_api::serve(listener, api, Admission::Loopback));
}
