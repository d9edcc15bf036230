//! Starts executions for uploads, once per version of an object, however often its event arrives.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sidestep_core::event::s3::{CreatedObject, created_objects};
use sidestep_core::event::trigger::Trigger;
use sidestep_core::execution::start::Uploaded;
use sidestep_core::name::ExecutionId;
use sidestep_core::uri::S3Uri;
use tracing::{info, warn};

use crate::engine::Engine;
use crate::error::{EngineError, StartError, error_chain};
use crate::handle::probe::{Station, probe_of};
use crate::start::selection::SelectionRequest;
use crate::start::{Origin, StartRequest};

/// What a trigger did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Triggered {
    Started(ExecutionId),
    /// Nothing could be started. This execution says why.
    Refused(ExecutionId),
}

impl Engine {
    /// Handles one event of the trigger function: starts the pipelines that the uploads trigger.
    ///
    /// An upload that cannot start its pipeline, for example because a parameter is invalid, leaves
    /// an execution of status Failed, since delivering it again would not help. After any other
    /// failure, the event is delivered again.
    pub async fn uploaded(&self, event: Value) -> Result<Value, EngineError> {
        let objects = created_objects(&event).unwrap_or_else(|reason| {
            info!(reason, "event ignored");
            Vec::new()
        });
        let (mut started, mut refused) = (Vec::new(), Vec::new());
        for object in &objects {
            if let Some(id) = probe_of(&object.key) {
                self.passed(&id, Station::Trigger).await?;
                continue;
            }
            // First, because it may replace the triggers.
            let stale = self.refresh().await?;
            let triggers = self.triggers.triggers(&object.bucket).await?;
            for trigger in triggers.iter().filter(|trigger| trigger.matches(object)) {
                if let Some(seconds) = trigger.batch_seconds {
                    self.note_upload(trigger, seconds, object).await?;
                    continue;
                }
                match self.start_for(trigger, object, stale.as_deref()).await? {
                    Triggered::Started(id) => started.push(id),
                    Triggered::Refused(id) => refused.push(id),
                }
            }
        }
        Ok(json!({ "Started": started, "Refused": refused }))
    }

    /// Starts the pipeline of `trigger` for one upload.
    async fn start_for(
        &self,
        trigger: &Trigger,
        object: &CreatedObject,
        stale: Option<&str>,
    ) -> Result<Triggered, EngineError> {
        let uri = S3Uri::new(object.bucket.clone(), object.key.clone());
        // Without versions, the sequencer distinguishes two uploads of one key.
        let version = object.version_id.as_ref().unwrap_or(&object.sequencer);
        let (origin, token) = (format!("upload of {uri}"), format!("{uri}\0{version}"));
        let parameters = trigger.parameters_for(object);
        let uploaded = Some(trigger.uploaded(object));
        self.start_triggered(trigger, parameters, (origin, token), uploaded, stale).await
    }

    /// Brings what is registered up to the user's files. Returns why nothing may start, if it is
    /// old.
    pub(crate) async fn refresh(&self) -> Result<Option<String>, EngineError> {
        match &self.freshness {
            Some(freshness) => freshness.refresh().await.map_err(EngineError::Freshness),
            None => Ok(None),
        }
    }

    /// Returns the trigger as it is registered now, which may be newer than one that was noted with
    /// a window. One that is not registered any more stays as it was.
    pub(crate) async fn current(&self, noted: &Trigger) -> Result<Trigger, EngineError> {
        if self.freshness.is_none() {
            return Ok(noted.clone());
        }
        let registered = self.triggers.triggers(&noted.bucket).await?;
        let same = registered.into_iter().find(|trigger| trigger.identity() == noted.identity());
        Ok(same.unwrap_or_else(|| noted.clone()))
    }

    /// Starts the pipeline of a trigger, once per token, or keeps why that is refused.
    ///
    /// `origin` is what the execution is started by, in words, and its token.
    pub(crate) async fn start_triggered(
        &self,
        trigger: &Trigger,
        parameters: BTreeMap<String, String>,
        (origin, token): (String, String),
        uploaded: Option<Uploaded>,
        stale: Option<&str>,
    ) -> Result<Triggered, EngineError> {
        let kept = Origin {
            pipeline_name: trigger.pipeline_name.clone(),
            definition_digest: trigger.definition_digest.clone(),
            definition_format: trigger.definition_format,
            trigger: origin,
            token: Some(token),
        };
        let tried = match stale {
            Some(why) => Err(StartError::Stale(why.to_owned()).into()),
            None => self.try_start(trigger, &kept, parameters.clone(), uploaded).await,
        };
        let error = match tried {
            Ok(id) => return Ok(Triggered::Started(id)),
            Err(error @ (EngineError::Definition(_) | EngineError::Start(_))) => error,
            Err(error) => return Err(error),
        };
        let reason = refusal(&error);
        warn!(pipeline_name = %trigger.pipeline_name, origin = kept.trigger, error = reason,
            "the trigger starts nothing");
        Ok(Triggered::Refused(self.keep_refused(kept, parameters, reason).await?))
    }

    async fn try_start(
        &self,
        trigger: &Trigger,
        origin: &Origin,
        parameters: BTreeMap<String, String>,
        uploaded: Option<Uploaded>,
    ) -> Result<ExecutionId, EngineError> {
        let definition =
            self.definitions.read(&trigger.definition_digest, trigger.definition_format).await?;
        let request = StartRequest {
            pipeline_name: trigger.pipeline_name.clone(),
            definition,
            parameters,
            use_cache: true,
            left_out: trigger.left_out.clone(),
            trigger: origin.trigger.clone(),
            token: origin.token.clone(),
            selection: SelectionRequest::default(),
            max_parallel_execution_steps: None,
        };
        let mut prepared = self.prepare(request).await?;
        prepared.start.uploaded = uploaded;
        self.begin(prepared).await
    }

    /// Replaces all triggers by `triggers`. [`Engine::register`] has stored their definitions.
    pub async fn replace_triggers(&self, triggers: &[Trigger]) -> Result<(), EngineError> {
        Ok(self.triggers.replace_triggers(triggers).await?)
    }
}

/// Returns why nothing was started, on one line: the problems of a definition, or what stands
/// against the request.
fn refusal(error: &EngineError) -> String {
    match error {
        EngineError::Definition(problems) => {
            let errors = problems.iter().filter(|problem| problem.is_error());
            let texts: Vec<_> = errors.map(ToString::to_string).collect();
            format!("the definition has problems: {}", texts.join("; "))
        }
        EngineError::Start(error) => error_chain(error).replace('\n', "; "),
        error => error_chain(error).replace('\n', "; "),
    }
}
