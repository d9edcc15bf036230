//! Batches: one execution for all uploads of a window. Each act is written down before it is done.
//!
//! First, an upload is noted. The call that notes the first upload of a window also has the planner
//! called when the window ends. The planner then records each part, create-only, starts the part's
//! execution under its own token, and at last closes the window, unless an upload was noted
//! meanwhile. If a process dies in between, the window stays open, and the next event, call or
//! sweep goes on.

use bytes::Bytes;
use serde_json::json;
use sidestep_core::event::batch::{BATCH_OBJECTS, BatchObject, Part, WindowId, listing, remaining};
use sidestep_core::event::s3::CreatedObject;
use sidestep_core::event::trigger::Trigger;
use sidestep_core::name::ExecutionId;
use sidestep_core::uri::S3Uri;
use tracing::warn;

use crate::engine::Engine;
use crate::error::{EngineError, error_chain};
use crate::handle::trigger::Triggered;
use crate::ports::batches::OpenWindow;
use crate::ports::objects::sha256_hex;

/// Tries to close a window before the rest is left to the sweep. A try fails if another process
/// records a part or an upload is noted meanwhile.
const ROUNDS: usize = 16;

impl Engine {
    /// Notes an upload for its window.
    pub(crate) async fn note_upload(
        &self,
        trigger: &Trigger,
        seconds: u32,
        object: &CreatedObject,
    ) -> Result<(), EngineError> {
        // The event's own time, even if it is ahead of this clock: a second delivery has to find
        // the same window.
        let at_ms = object.at_ms.unwrap_or_else(|| self.clock.now_ms());
        let id = WindowId::of(&trigger.identity(), seconds, at_ms);
        if self.batches.note(&id, trigger, &BatchObject::of(object)).await? == 1 {
            self.call_for(&id).await;
        }
        Ok(())
    }

    /// Has the planner called when a window has ended. If the call cannot be sent, the sweep finds
    /// the window.
    async fn call_for(&self, id: &WindowId) {
        let due_ms = id.due_ms();
        let event = json!({ "Batch": { "Window": id, "AtMs": due_ms } });
        if let Err(error) = self.queues.later(&event, due_ms, self.clock.now_ms()).await {
            warn!(window = %id, error = error_chain(&error), "the window waits for the sweep");
        }
    }

    /// Starts a window that has ended. A queue delays by 15 minutes at most, so an early call is
    /// sent on.
    pub(crate) async fn window_ended(&self, id: &WindowId) -> Result<(), EngineError> {
        if id.due_ms() > self.clock.now_ms() {
            self.call_for(id).await;
            return Ok(());
        }
        match self.batches.open_window(id).await? {
            Some(window) => self.start_window(window).await.map(drop),
            None => Ok(()),
        }
    }

    /// Starts open windows that have ended, but whose call was lost.
    pub(crate) async fn sweep_windows(&self) -> Result<(), EngineError> {
        for window in self.batches.open_windows().await? {
            if window.id.due_ms() > self.clock.now_ms() {
                continue;
            }
            let id = window.id.clone();
            if let Err(error) = self.start_window(window).await {
                let error = error_chain(&error);
                warn!(window = %id, error, "the sweep could not start the window's execution");
            }
        }
        Ok(())
    }

    /// Starts an execution for each part of a window and closes it.
    async fn start_window(&self, window: OpenWindow) -> Result<Vec<ExecutionId>, EngineError> {
        let OpenWindow { id, trigger, mut notes } = window;
        let stale = self.refresh().await?;
        let trigger = self.current(&trigger).await?;
        let mut started = Vec::new();
        for _ in 0..ROUNDS {
            let (objects, parts) = self.batches.window(&id).await?;
            let rest = remaining(objects, &parts, BATCH_OBJECTS);
            let mut number = parts.iter().map(|part| part.number).max().unwrap_or(0);
            // A part that was recorded may not have been started.
            for part in &parts {
                started.extend(self.start_part(&trigger, &id, part, stale.as_deref()).await?);
            }
            let mut is_whole = true;
            for uploads in rest {
                number += 1;
                let part = self.part(number, &uploads).await?;
                if !self.batches.record_part(&id, &part).await? {
                    is_whole = false;
                    break;
                }
                started.extend(self.start_part(&trigger, &id, &part, stale.as_deref()).await?);
            }
            if is_whole && self.batches.close_window(&id, notes).await? {
                return Ok(started);
            }
            match self.batches.open_window(&id).await? {
                Some(window) => notes = window.notes,
                None => return Ok(started),
            }
        }
        // Uploads keep arriving. The sweep goes on.
        Ok(started)
    }

    /// Writes the listing of a part under the digest of its text.
    async fn part(&self, number: u32, uploads: &[BatchObject]) -> Result<Part, EngineError> {
        let (text, count) = listing(uploads);
        let key = format!("batches/{}.json", sha256_hex(text.as_bytes()));
        let listing = S3Uri::new(self.deployment.artifact_bucket.clone(), key);
        self.objects.create(&listing, Bytes::from(text), "application/json").await?;
        let uploads = uploads.iter().map(BatchObject::id).collect();
        Ok(Part { number, listing, count, uploads })
    }

    /// Starts a part's execution, once. If it cannot be started, an execution says so, as for
    /// single uploads.
    async fn start_part(
        &self,
        trigger: &Trigger,
        id: &WindowId,
        part: &Part,
        stale: Option<&str>,
    ) -> Result<Option<ExecutionId>, EngineError> {
        let place = S3Uri::new(trigger.bucket.clone(), trigger.prefix.clone());
        let origin = format!("batch of {} uploads to {place}", part.count);
        let token = format!("batch\0{id}\0{}", part.number);
        let parameters = trigger.parameters_for_part(part);
        let (origin, uploaded) = ((origin, token), Some(trigger.uploaded_part(part)));
        let started = self.start_triggered(trigger, parameters, origin, uploaded, stale).await?;
        Ok(match started {
            Triggered::Started(id) => Some(id),
            Triggered::Refused(_) => None,
        })
    }
}
