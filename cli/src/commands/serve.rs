//! `sidestep serve`: SageMaker's API for pipelines, over the embedded cloud or a stack on AWS.
//!
//! Locally it is `sidestep up` with the API beside it, or the API alone if an `up` is already
//! running. On AWS it acts with the credentials of the user who started it. Without access keys to
//! verify signatures it listens on loopback only.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use sidestep_api::{AccessKeys, Admission, Api, ProjectPipeline, Registration};
use sidestep_aws::table::DynamoTable;
use sidestep_engine::memory::definitions::Definition;
use sidestep_engine::ports::freshness::Freshness;
use sidestep_engine::ports::pipelines::PipelineStore;
use sidestep_local::cloud::{CloudError, config_of};
use sidestep_local::deployment::TABLE;
use sidestep_local::folder::{self, published_endpoints};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::env::key_of;
use super::up::{GRACE, attend};
use crate::jobs::job_operations;
use crate::output::error::{CommandError, OrError as _, user};
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

/// Variable that names the file of access keys; it goes before `[serve] keys`.
const KEYS_FILE: &str = "SIDESTEP_SERVE_KEYS";

#[derive(Debug, Args)]
pub(crate) struct ServeOptions {
    /// Address of the API; any but loopback needs access keys [default: a free port on loopback]
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:0",
        hide_default_value = true
    )]
    pub(crate) listen: SocketAddr,
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
    let admission = admission(&project)?;
    if admission == Admission::Loopback && !options.listen.ip().is_loopback() {
        let problem = format!("`{}` is not a loopback address", options.listen.ip());
        let hint = format!(
            "requests from other machines must be signed: name a file of access keys with `keys = \"FILE\"` in `[serve]`, or in {KEYS_FILE}"
        );
        return Err(user(problem).hint(hint));
    }
    let listener = TcpListener::bind(options.listen).await.map_err(|error| {
        user(format!("could not serve the API on {}: {error}", options.listen))
            .hint("choose another address with `--listen`; without it a free port is taken")
    })?;
    match target {
        Target::Local => Box::pin(local(&project, options, listener, admission)).await,
        Target::Aws => aws(&project, options, listener, admission).await,
    }
}

/// Returns who may call the API: signed requests only, if a file of access keys is named.
///
/// Keys are never an argument or a variable, because other users of the machine can see those.
fn admission(project: &Project) -> Result<Admission, CommandError> {
    let named = std::env::var_os(KEYS_FILE).filter(|name| !name.is_empty()).map(PathBuf::from);
    let settings = project.settings.serve.keys.as_ref();
    let Some(path) = named.or_else(|| settings.map(|keys| project.folder.join(keys))) else {
        return Ok(Admission::Loopback);
    };
    let shown = path.display();
    let text = std::fs::read_to_string(&path)
        .or_user(|| format!("could not read the access keys in `{shown}`"))?;
    let keys = AccessKeys::parse(&text).map_err(|error| user(format!("`{shown}`: {error}")))?;
    let mode = std::fs::metadata(&path)?.permissions().mode();
    if mode & 0o077 != 0 {
        eprintln!("note: other users of this machine can read `{shown}`; run `chmod 600` on it");
    }
    Ok(Admission::Signed(keys))
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
    let owned = Session::own_unless_in_use(project, functions, triggers, None, freshness).await?;
    let session = match owned {
        Some(session) => session,
        None => Session::run(project, functions, None, Joining::Ups).await?,
    };
    let reloader = session.cloud.as_ref().map(|_| Reloader::new(served, &gate, true));
    if let Some(reloader) = &reloader {
        reloader.published().write(&session.state)?;
    }
    let endpoints = match &session.cloud {
        Some(cloud) => cloud.endpoints().clone(),
        None => published_endpoints(&session.state)
            .ok_or_else(|| user("`sidestep up` has just ended").hint("try again"))?,
    };
    let config = match &session.cloud {
        Some(cloud) => cloud.config(),
        None => config_of(&endpoints.credentials),
    };
    let config = config.into_builder().endpoint_url(&endpoints.dynamodb).build();
    let store = Arc::new(DynamoTable::new(&config, TABLE));
    let api = Api::new(Arc::clone(&session.engine), store, left_out);
    let api = Arc::new(api.with_others(job_operations(session.cloud.as_ref())));
    let mut registered = Registered::default();
    register(project, &api, &mut registered, |definition| definition).await;
    let edits = follow_edits(&project.folder, Arc::clone(&api), registered);
    let mut all = json!({ "SageMaker": format!("http://{}", listener.local_addr()?) });
    if let (Some(all), Value::Object(others)) = (all.as_object_mut(), json!(endpoints)) {
        all.extend(others);
    }
    announce(options, &all, Some(key_of(&endpoints)));
    let result = tokio::select! {
        result = sidestep_api::serve(listener, api, admission) => result.map_err(Into::into),
        result = attend(&session, reloader) => result,
        never = edits => match never {},
    };
    session.close(GRACE).await;
    result.map(|()| ExitStatus::Succeeded)
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
    let url = endpoints["SageMaker"].as_str().unwrap_or_default();
    if key.is_some() {
        println!("`sidestep env` prints the key of the other services");
    }
    println!("try: AWS_ENDPOINT_URL_SAGEMAKER={url} aws sagemaker list-pipelines");
}
