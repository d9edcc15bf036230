//! The guard of a cloud.

use std::sync::Arc;

use async_trait::async_trait;
use axum::http::Extensions;
use parking_lot::RwLock;
use sidestep_aws::asked::Asked;

use super::caller::Caller;
use crate::tracer::Tracer;

/// Decides requests.
#[async_trait]
pub trait Guard: Send + Sync + std::fmt::Debug {
    /// Returns the message of the refusal, or `None` if the request goes on.
    async fn refusal(&self, caller: &Caller, asked: &Asked) -> Option<String>;
}

/// The guard of a cloud, and what tells who calls. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Guards {
    tracer: Tracer,
    guard: Arc<RwLock<Option<Arc<dyn Guard>>>>,
}

impl Guards {
    /// Makes guards without a guard.
    pub(crate) fn new(tracer: Tracer) -> Self {
        Self { tracer, guard: Arc::default() }
    }

    /// Replaces the guard.
    pub(crate) fn replace(&self, guard: Option<Arc<dyn Guard>>) {
        *self.guard.write() = guard;
    }

    /// Returns true if there is no guard.
    pub(crate) fn is_empty(&self) -> bool {
        self.guard.read().is_none()
    }

    /// Returns the caller of a request if it has to be asked about.
    ///
    /// `signed_with` is the key of a request that the gate has not checked.
    pub(super) fn caller(
        &self,
        extensions: &Extensions,
        signed_with: Option<&str>,
    ) -> Option<Caller> {
        if let Some(caller) = extensions.get::<Caller>() {
            return Some(caller.clone());
        }
        let checked = extensions.get::<sidestep_admission::Caller>();
        let key = checked.map(|caller| caller.access_key_id.as_str()).or(signed_with)?;
        let signer = sidestep_admission::Caller { access_key_id: key.to_owned() };
        signer.tag()?;
        Some(self.tracer.function_of(key).map_or(Caller::Ended, Caller::Function))
    }

    /// Returns the message of the first refusal of what a request asks for.
    pub(crate) async fn refusal(
        &self,
        extensions: &Extensions,
        signed_with: Option<&str>,
        asked: impl FnOnce() -> Vec<Asked>,
    ) -> Option<String> {
        let guard = self.guard.read().clone()?;
        let caller = self.caller(extensions, signed_with)?;
        for asked in asked() {
            let refusal = guard.refusal(&caller, &asked).await;
            if refusal.is_some() {
                // What a function makes of a refusal is not a result of its input.
                if let Some(key) = extensions.get::<sidestep_admission::Caller>() {
                    self.tracer.record(&key.access_key_id, |trace| trace.is_incomplete = true);
                }
                return refusal;
            }
        }
        None
    }
}
