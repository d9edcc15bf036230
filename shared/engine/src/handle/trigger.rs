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
use crate::error::{EngineError, error_chain};
use crate::handle::probe::{Station, probe_of};
use crate::start::StartRequest;
use crate::start::selection::SelectionRequest;

impl Engine {
    /// Handles one event of the trigger function: starts the pipelines that the uploads trigger.
    ///
    /// An upload that cannot start its pipeline, for example because a parameter is invalid, is
    /// logged and dropped, since delivering it again would not help. After any other failure, the
    /// event is delivered again.
    pub async fn uploaded(&self, event: Value) -> Result<Value, EngineError> {
        let objects = created_objects(&event).unwrap_or_else(|reason| {
            info!(reason, "event ignored");
            Vec::new()
        });
        let mut started = Vec::new();
        for object in &objects {
            if let Some(id) = probe_of(&object.key) {
                self.passed(&id, Station::Trigger).await?;
                continue;
            }
            let triggers = self.triggers.triggers(&object.bucket).await?;
            for trigger in triggers.iter().filter(|trigger| trigger.matches(object)) {
                if let Some(seconds) = trigger.batch_seconds {
                    self.note_upload(trigger, seconds, object).await?;
                    continue;
                }
                match self.start_for(trigger, object).await {
                    Ok(id) => started.push(id),
                    Err(error @ (EngineError::Definition(_) | EngineError::Start(_))) => {
                        let error = error_chain(&error);
                        warn!(pipeline_name = %trigger.pipeline_name, key = object.key, error,
                            "the upload starts nothing");
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(json!({ "Started": started }))
    }

    /// Starts the pipeline of `trigger` for one upload.
    async fn start_for(
        &self,
        trigger: &Trigger,
        object: &CreatedObject,
    ) -> Result<ExecutionId, EngineError> {
        let uri = S3Uri::new(object.bucket.clone(), object.key.clone());
        // Without versions, the sequencer distinguishes two uploads of one key.
        let version = object.version_id.as_ref().unwrap_or(&object.sequencer);
        let (origin, token) = (format!("upload of {uri}"), format!("{uri}\0{version}"));
        let parameters = trigger.parameters_for(object);
        let uploaded = trigger.uploaded(object);
        self.start_triggered(trigger, parameters, origin, token, Some(uploaded)).await
    }

    /// Starts the pipeline of a trigger, once per token.
    pub(crate) async fn start_triggered(
        &self,
        trigger: &Trigger,
        parameters: BTreeMap<String, String>,
        origin: String,
        token: String,
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
            trigger: origin,
            token: Some(token),
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
