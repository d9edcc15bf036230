//! Starts executions. Every error of a request is found before anything is written.

pub(crate) mod prefetch;
mod preview;
mod refusal;
pub mod selection;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::try_join_all;
use sha2::{Digest, Sha256};
use sidestep_core::definition::function_ref::FunctionRef;
use sidestep_core::definition::parameter::resolve_parameters;
use sidestep_core::definition::{Pipeline, StepIndex, StepKind};
use sidestep_core::execution::Execution;
use sidestep_core::execution::start::{
    Function, STATE_VERSION, STATE_VERSION_WITHOUT_JOBS, Start, cannot_start_once,
};
use sidestep_core::execution::token::Secret;
use sidestep_core::name::{ExecutionId, PipelineName, StepName};
use sidestep_core::parse::{Format, parse, unrunnable};
use sidestep_core::uri::S3Uri;

use crate::engine::Engine;
use crate::error::{EngineError, StartError};
use crate::loaded::Loaded;
use crate::memory::definitions::Definition;
use crate::ports::executions::Creation;
use crate::start::selection::{SelectionRequest, SelectionResolver};

/// A request to start an execution.
#[derive(Debug, Clone)]
pub struct StartRequest {
    pub pipeline_name: PipelineName,
    pub definition: Definition,
    /// Values as text. The definition's types say how to read them.
    pub parameters: BTreeMap<String, String>,
    pub use_cache: bool,
    /// Functions that cannot run here and why, by the `FunctionArn` of the definition. Their steps
    /// are skipped.
    pub left_out: BTreeMap<FunctionRef, String>,
    /// What started it, in words.
    pub trigger: String,
    /// Requests with the same token start one execution. It is the version of an uploaded object,
    /// for example.
    pub token: Option<String>,
    /// The steps to run. The default is all of them.
    pub selection: SelectionRequest,
    /// SageMaker's `MaxParallelExecutionSteps`, where `None` means no limit.
    pub max_parallel_execution_steps: Option<u32>,
}

/// An execution that is ready to begin.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub start: Start,
    pub pipeline: Arc<Pipeline>,
    pub definition: Definition,
    /// The pipeline's newest executions, if it pays to read them.
    pub(crate) latest: Vec<ExecutionId>,
}

/// Where an execution comes from: what is known of it before anything is checked.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) pipeline_name: PipelineName,
    pub(crate) definition_digest: String,
    pub(crate) definition_format: Format,
    pub(crate) trigger: String,
    pub(crate) token: Option<String>,
}

impl Engine {
    /// Returns the start of an execution that begins now, with its id and its secret and without
    /// parameters, functions and choices.
    fn start_of_origin(&self, origin: Origin) -> Start {
        let random = self.clock.random();
        let execution_id = match &origin.token {
            Some(token) => ExecutionId::from_bytes(half(&hash(&origin.pipeline_name, token))),
            None => ExecutionId::from_bytes(half(&random)),
        };
        let deployment = &self.deployment;
        let name = &origin.pipeline_name;
        let key = format!("runs/{name}/{execution_id}/");
        Start {
            state_version: self.state_version.min(STATE_VERSION_WITHOUT_JOBS),
            output_prefix: S3Uri::new(deployment.artifact_bucket.clone(), key),
            execution_id,
            definition_digest: origin.definition_digest,
            definition_format: origin.definition_format,
            parameters: BTreeMap::new(),
            functions: BTreeMap::new(),
            left_out: BTreeMap::new(),
            jobs: None,
            started_at_ms: self.clock.now_ms(),
            use_cache: true,
            selection: None,
            forced: BTreeSet::new(),
            baseline: None,
            max_parallel_execution_steps: None,
            pipeline_arn: format!(
                "arn:aws:sagemaker:{}:{}:pipeline/{name}",
                deployment.region, deployment.account_id
            ),
            pipeline_name: origin.pipeline_name,
            trigger: origin.trigger,
            uploaded: None,
            refused: None,
            secret: Secret::from_bytes(Sha256::digest(random).into()),
        }
    }

    /// Checks a request and fixes everything that the execution will use. Writes nothing.
    pub async fn prepare(&self, request: StartRequest) -> Result<Prepared, EngineError> {
        let definition = request.definition;
        let parsed = parse(definition.text.as_bytes(), definition.format)
            .map_err(EngineError::Definition)?;
        let pipeline = Arc::new(parsed.pipeline);
        let jobs = self.job_settings.clone().filter(|_| self.state_version >= STATE_VERSION);
        let mut unrunnable = unrunnable(&pipeline);
        if jobs.is_none() {
            let name = |index: StepIndex| pipeline.step(index).name.clone();
            unrunnable.clear();
            unrunnable.extend(pipeline.jobs().map(|(index, job)| (name(index), job.step_type)));
        }
        if !unrunnable.is_empty() {
            return Err(StartError::Unrunnable(unrunnable).into());
        }
        let mut chooser = SelectionResolver::new(self, &request.pipeline_name, &request.selection)?;
        let mut given = chooser.inherited(&pipeline).await?;
        given.extend(request.parameters);
        let parameters = resolve_parameters(&pipeline, &given).map_err(StartError::Parameters)?;
        let (functions, latest) = futures::try_join!(
            self.describe_functions(&pipeline, &request.left_out),
            self.latest(&request.pipeline_name, &pipeline, request.use_cache),
        )?;
        let not_once = cannot_start_once(&pipeline, &functions);
        if !not_once.is_empty() {
            return Err(StartError::NotOnce(not_once).into());
        }
        let origin = Origin {
            pipeline_name: request.pipeline_name,
            definition_digest: definition.digest(),
            definition_format: definition.format,
            trigger: request.trigger,
            token: request.token,
        };
        let jobs = jobs.filter(|_| pipeline.jobs().next().is_some());
        let mut start = Start {
            parameters,
            functions,
            left_out: request.left_out,
            use_cache: request.use_cache,
            max_parallel_execution_steps: request.max_parallel_execution_steps,
            ..self.start_of_origin(origin)
        };
        if jobs.is_some() {
            start.state_version = self.state_version;
            start.jobs = jobs;
        }
        chooser.choose(&pipeline, &mut start).await?;
        Ok(Prepared { start, pipeline, definition, latest })
    }

    /// Begins a prepared execution and does everything that can be done at once.
    ///
    /// Twice with one token: the second call finds the execution of the first and advances it.
    pub async fn begin(&self, prepared: Prepared) -> Result<ExecutionId, EngineError> {
        let Prepared { start, pipeline, definition, latest } = prepared;
        let step_count = pipeline.steps.len();
        let id = start.execution_id.clone();
        let create = async {
            // The definition first, because the start names it.
            self.definitions.put(&definition, Arc::clone(&pipeline)).await?;
            Ok(self.executions.create(&start, step_count).await?)
        };
        let (creation, facts) = futures::try_join!(create, self.prefetch(&start, &latest))?;
        if let Creation::Exists(existing) = creation {
            // The code may have changed between two deliveries of one event. The first one counts,
            // also if it started nothing.
            let is_repeat = existing.pipeline_name == start.pipeline_name
                && (existing.parameters == start.parameters || existing.refused.is_some());
            if !is_repeat {
                return Err(StartError::Conflict { execution_id: id }.into());
            }
            self.advance(&id, Vec::new()).await?;
            return Ok(id);
        }
        let execution = Execution::new(step_count);
        let start = Arc::new(start);
        self.advance_new(Loaded { start, pipeline, execution }, facts).await?;
        Ok(id)
    }

    /// Stores a definition after checking it, without starting anything, and returns its digest.
    pub async fn register(&self, definition: &Definition) -> Result<String, EngineError> {
        let parsed = parse(definition.text.as_bytes(), definition.format)
            .map_err(EngineError::Definition)?;
        self.definitions.put(definition, Arc::new(parsed.pipeline)).await?;
        Ok(definition.digest())
    }

    async fn describe_functions(
        &self,
        pipeline: &Pipeline,
        left_out: &BTreeMap<FunctionRef, String>,
    ) -> Result<BTreeMap<FunctionRef, Function>, EngineError> {
        let is_used = |function: &&FunctionRef| !left_out.contains_key(*function);
        let used: BTreeSet<&FunctionRef> = pipeline.functions().filter(is_used).collect();
        let described = try_join_all(used.into_iter().map(|name| async move {
            let function = self.functions.describe(name.as_str()).await?;
            Ok::<_, EngineError>((name.clone(), function))
        }))
        .await?;
        let mut functions = BTreeMap::new();
        let mut unknown = Vec::new();
        for (name, function) in described {
            match function {
                Some(function) => {
                    self.available.note(&function);
                    functions.insert(name, function);
                }
                None => unknown.extend(first_user(pipeline, &name).map(|step| (name, step))),
            }
        }
        if unknown.is_empty() {
            Ok(functions)
        } else {
            Err(StartError::UnknownFunctions(unknown).into())
        }
    }
}

fn first_user(pipeline: &Pipeline, name: &FunctionRef) -> Option<StepName> {
    let uses =
        |kind: &StepKind| matches!(kind, StepKind::Lambda(lambda) if lambda.function_arn == *name);
    pipeline.steps.iter().find(|step| uses(&step.kind)).map(|step| step.name.clone())
}

fn hash(pipeline_name: &PipelineName, token: &str) -> [u8; 32] {
    Sha256::digest(format!("{pipeline_name}\0{token}")).into()
}

fn half(bytes: &[u8; 32]) -> [u8; 16] {
    let (half, _) = bytes.split_at(16);
    half.try_into().expect("split_at(16) leaves 16 bytes")
}
