//! Remembers which functions can be invoked from here, and with which code.
//!
//! On AWS, versions are pinned and stay, so an execution's functions can always be invoked. The
//! embedded cloud serves what the command that started it has built: another pipeline's functions,
//! the same ones after an edit, or none at all. An execution of other functions must neither fail
//! for that reason nor see other code.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use parking_lot::Mutex;
use sidestep_core::execution::start::{Function, Start};

use crate::ports::functions::{FunctionError, Functions};

/// The functions that a deployment serves. A process's Lambda host keeps those that it has once
/// been given, under their versions.
#[derive(Debug)]
pub(crate) struct AvailableFunctions {
    /// Code digests by ARN. Without a map, nothing is checked. A function that was missing is
    /// looked for again, because another command may have brought it.
    digests: Option<Mutex<BTreeMap<String, String>>>,
}

impl AvailableFunctions {
    pub(crate) fn new(checks_functions: bool) -> Self {
        Self { digests: checks_functions.then(Mutex::default) }
    }

    /// Notes a function as it was described.
    pub(crate) fn note(&self, function: &Function) {
        self.keep(&function.invoke_arn, function.code_digest.clone());
    }

    fn keep(&self, arn: &str, digest: String) {
        if let Some(digests) = &self.digests {
            digests.lock().insert(arn.to_owned(), digest);
        }
    }

    /// Returns true if every function of `start` can be invoked here with the same code.
    pub(crate) async fn has_all(
        &self,
        start: &Start,
        functions: &dyn Functions,
    ) -> Result<bool, FunctionError> {
        let Some(digests) = &self.digests else { return Ok(true) };
        let known = |function: &Function| digests.lock().get(&function.invoke_arn).cloned();
        let unknown = start.functions.values().filter(|function| known(function).is_none());
        try_join_all(unknown.map(|function| async move {
            let described = functions.describe(&function.invoke_arn).await?;
            if let Some(described) = described {
                self.keep(&function.invoke_arn, described.code_digest);
            }
            Ok::<_, FunctionError>(())
        }))
        .await?;
        let is_same = |function: &Function| known(function).as_ref() == Some(&function.code_digest);
        Ok(start.functions.values().all(is_same))
    }
}
