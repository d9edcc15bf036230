//! Whether the functions that an execution began with can be invoked from here.
//!
//! On AWS they can: versions are pinned and stay. The embedded cloud serves what the command that started it has built: another pipeline's
//! functions, the same ones after an edit, or none at all. An execution of other functions must neither fail for that nor see other code.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures::future::try_join_all;
use sidestep_core::execution::start::{Function, Start};

use crate::ports::functions::{FunctionError, Functions};

/// What is known of functions. Those of one process's Lambda host stay as they are.
#[derive(Debug, Default)]
pub(crate) struct AtHand {
    /// Code digests by ARN; `None`: nobody asks.
    digests: Option<Mutex<BTreeMap<String, Option<String>>>>,
}

impl AtHand {
    pub(crate) fn watchful() -> Self {
        Self { digests: Some(Mutex::default()) }
    }

    /// Notes a function as it was described.
    pub(crate) fn note(&self, function: &Function) {
        self.keep(&function.invoke_arn, Some(function.code_digest.clone()));
    }

    fn keep(&self, arn: &str, digest: Option<String>) {
        if let Some(digests) = &self.digests {
            let mut digests = digests.lock().unwrap_or_else(PoisonError::into_inner);
            digests.insert(arn.to_owned(), digest);
        }
    }

    /// Whether every function of `start` is here, with the same code.
    pub(crate) async fn has_all(
        &self,
        start: &Start,
        functions: &dyn Functions,
    ) -> Result<bool, FunctionError> {
        let Some(digests) = &self.digests else { return Ok(true) };
        let known = |function: &Function| {
            let digests = digests.lock().unwrap_or_else(PoisonError::into_inner);
            digests.get(&function.invoke_arn).cloned()
        };
        let unknown = start.functions.values().filter(|function| known(function).is_none());
        try_join_all(unknown.map(|function| async move {
            let described = functions.describe(&function.invoke_arn).await?;
            self.keep(&function.invoke_arn, described.map(|described| described.code_digest));
            Ok::<_, FunctionError>(())
        }))
        .await?;
        let is_here =
            |function: &Function| known(function).flatten() == Some(function.code_digest.clone());
        Ok(start.functions.values().all(is_here))
    }
}
