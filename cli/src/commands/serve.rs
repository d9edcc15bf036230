//! `sidestep serve`: SageMaker's API for pipelines, over the embedded cloud or a stack on AWS.
//!
//! Locally it is `sidestep up` with the API beside it, or the API alone if an `up` is already
//! running. On AWS it acts with the credentials of the user who started it. Without access keys to
//! verify signatures it listens on loopback only.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use sidestep_api::{Admission, Api, ProjectPipeline, Registration};
use sidestep_aws::table::DynamoTable;
use sidestep_engine::memory::definitions::Definition;
use sidestep_engine::ports::freshness::Freshness;
use sidestep_engine::ports::pipelines::PipelineStore;
use sidestep_local::cloud::CloudError;
use sidestep_local::folder;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::env::key_of;
use super::up::{GRACE, attend};
use crate::address;
use crate::admission::admission;
use crate::output::error::CommandError;
use crate::output::exit_status::ExitStatus;
use crate::project::Project;
use crate::reload::{Gate, Reloader};
use crate::remote::Remote;
use crate::served::Served;
use crate::session::Session;
use crate::session::join::Joining;
use crate::target::Target;

/// How often the project is checked for edited definitions.
const EDITS: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(crate) struct ServeOptions {
    /// Address of all services together, on AWS of the API alone; any but loopback needs access
    /// keys [default: 127.0.0.1:4566, or another port if that is in use]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Print the endpoints as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) async fn serve(
    project: Option<&Path>,
    target: Target,
    options: &ServeOptions,
) -> Result<ExitStatus, CommandError> {
    let project = Project::find(project)?;
    let admission = admission(&project, options.listen)?;
    match target {
        Target::Local => {
            let listener = address::bind(options.listen).await?;
            Box::pin(local(&project, options, listener, admission)).await
        }
        Target::Aws => {
            let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let listener = address::bind(Some(options.listen.unwrap_or(free))).await?;
            aws(&project, options, listener, admission).await
        }
    }
}

/// Serves the embedded cloud and the API.
async fn local(
    project: &Project,
    options: &ServeOptions,
    listener: TcpListener,
    admission: Admission,
) -> Result<ExitStatus, CommandError> {
    folder::check(&project.state_folder()).map_err(CloudError::from)?;
    let served = Served::read(Some(&project.folder))?;
    served.note_left_out();
    let left_out = served.left_out.clone();
    let gate = Arc::new(Gate::default());
    let freshness = Some(Arc::clone(&gate) as Arc<dyn Freshness>);
    let (functions, triggers) = (&served.functions, &served.triggers);
    let place = address::url(&listener)?;
    let mut free = Some(listener);
    let owned =
        Session::own_unless_in_use(project, functions, triggers, None, freshness, &mut free)
            .await?;
    let session = match owned {
        Some(session) => session,
        None => Session::run(project, functions, None, Joining::Ups).await?,
    };
    let reloader = session.cloud.as_ref().map(|_| Reloader::new(served, &gate, true));
    if let Some(reloader) = &reloader {
        reloader.published().write(&session.state)?;
    }
    let api = session.api(left_out)?;
    let mut registered = Registered::default();
    register(project, &api, &mut registered, |definition| definition).await;
    let edits = follow_edits(&project.folder, Arc::clone(&api), registered);
    session.serve_address(&api, admission.clone()).await?;
    let mut all = json!({ "SageMaker": place });
    if let (Some(all), Value::Object(others)) = (all.as_object_mut(), json!(session.endpoints)) {
        all.extend(others);
    }
    announce(options, &all, session.endpoints.as_ref().map(key_of));
    let result = tokio::select! {
        result = beside(free, api, admission) => result,
        result = attend(&session, reloader) => result,
        never = edits => match never {},
    };
    session.close(GRACE).await;
    result.map(|()| ExitStatus::Succeeded)
}

/// Serves the API alone on an address, beside an `up` that has the others. Waits for ever without
/// one.
async fn beside(
    address: Option<TcpListener>,
    api: Arc<Api>,
    admission: Admission,
) -> Result<(), CommandError> {
    match address {
        Some(listener) => Ok(sidestep_api::serve(listener, api, admission).await?),
        None => std::future::pending().await,
    }
}

/// Serves the API over the project's stack.
async fn aws(
    project: &Project,
    options: &ServeOptions,
    listener: TcpListener,
    admission: Admission,
) -> Result<ExitStatus, CommandError> {
    let remote = Remote::open(project).await?;
    let mut config = remote.account.config.clone().into_builder();
    config.set_endpoint_url(remote.account.endpoints().dynamodb);
    let store: Arc<dyn PipelineStore> =
        Arc::new(DynamoTable::new(&config.build(), remote.table.as_str()));
    let api = Arc::new(Api::new(Arc::clone(&remote.engine), store, BTreeMap::new()));
    let place = |definition| remote.definition(definition);
    register(project, &api, &mut Registered::default(), place).await;
    let endpoint = format!("http://{}", listener.local_addr()?);
    announce(options, &json!({ "SageMaker": endpoint }), None);
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        result = sidestep_api::serve(listener, api, admission) => result?,
        result = tokio::signal::ctrl_c() => result?,
        _ = terminated.recv() => {}
    }
    Ok(ExitStatus::Succeeded)
}

/// What was registered of each pipeline: its definition, or why that could not be read.
type Registered = BTreeMap<String, String>;

/// Registers the project's edited definitions, until the future is dropped.
async fn follow_edits(folder: &Path, api: Arc<Api>, mut registered: Registered) -> Infallible {
    loop {
        tokio::time::sleep(EDITS).await;
        // Settings that cannot be read are reported where functions are reloaded.
        if let Ok(project) = Project::find(Some(folder)) {
            register(&project, &api, &mut registered, |definition| definition).await;
        }
    }
}

/// Registers the project's pipelines that have changed with the API; an invalid one is reported and
/// the others are served.
async fn register(
    project: &Project,
    api: &Api,
    registered: &mut Registered,
    place: impl Fn(Definition) -> Definition,
) {
    let is_first = registered.is_empty();
    for (name, settings) in &project.settings.pipelines {
        let read = project.pipeline(name).and_then(|source| Ok((source.read()?, source.name)));
        let content = match &read {
            Ok((definition, _)) => definition.text.clone(),
            Err(error) => error.one_line(),
        };
        if registered.insert(name.clone(), content.clone()) == Some(content) {
            continue;
        }
        let registration = match read {
            Ok((definition, name)) => {
                let pipeline = ProjectPipeline {
                    name,
                    definition: place(definition),
                    max_parallel_execution_steps: settings.max_parallel_execution_steps,
                };
                api.register(&pipeline).await.map_err(CommandError::from)
            }
            Err(error) => Err(error),
        };
        match registration {
            Ok(Registration::New) if !is_first => {
                eprintln!("pipeline `{name}`: its definition is the next version in the API");
            }
            Ok(Registration::New | Registration::Unchanged) => {}
            Ok(Registration::Kept) => eprintln!(
                "note: pipeline `{name}` is served as it was last changed through the API, not as in the project"
            ),
            Err(error) => eprintln!("note: pipeline `{name}` is not served: {}", error.one_line()),
        }
    }
}

/// Prints the endpoints, and the key of the embedded cloud's servers.
fn announce(options: &ServeOptions, endpoints: &Value, key: Option<Value>) {
    if options.json {
        let mut document = json!({ "Endpoints": endpoints });
        if let Some(key) = key {
            document["Credentials"] = key;
        }
        println!("{document}");
        return;
    }
    for (service, url) in endpoints.as_object().into_iter().flatten() {
        println!("{service:<9} {}", url.as_str().unwrap_or_default());
    }
    if key.is_some() {
        println!("try: eval \"$(sidestep env)\" && aws sagemaker list-pipelines");
        return;
    }
    let url = endpoints["SageMaker"].as_str().unwrap_or_default();
    println!("try: AWS_ENDPOINT_URL_SAGEMAKER={url} aws sagemaker list-pipelines");
}
