//! What a step type takes and what it can have, as a row of the step types says it.

/// The keys and features of a step type.
#[derive(Debug, Clone, Copy)]
pub struct StepRules {
    /// The keys that not every step has.
    pub(super) own_keys: &'static [&'static str],
    /// Other keys are SageMaker's. They are searched for references and otherwise not checked.
    pub is_open: bool,
    /// This version can execute the step. Others are refused at the start.
    pub is_runnable: bool,
    /// `OutputParameters`, which other steps can read.
    pub has_outputs: bool,
    pub has_retries: bool,
    pub has_timeout: bool,
    pub has_on_failure: bool,
    pub caching: Caching,
}

/// The meaning of `CacheConfig` for a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caching {
    /// The key is unknown.
    Refused,
    /// The key is allowed and has no effect, because the result comes from outside. Warned of.
    NoEffect,
    /// The step's own setting counts.
    Own,
    /// The step's own setting counts, else the pipeline's. The key includes the code's digest.
    OwnOrDefault,
}

/// The keys of every step. `OnFailure` is not among them, because a Fail step does not have it.
const FIRST_KEYS: [&str; 6] =
    ["Name", "Type", "DisplayName", "Description", "DependsOn", "Arguments"];

impl StepRules {
    /// Returns every key that the type has, in the order in which messages list them.
    pub fn keys(&self) -> Vec<&'static str> {
        let on_failure = self.has_on_failure.then_some("OnFailure");
        let extensions = ["Tags", "TriggerRule"].into_iter().chain(on_failure).chain(["When"]);
        FIRST_KEYS.into_iter().chain(self.own_keys.iter().copied()).chain(extensions).collect()
    }

    /// Returns true if the steps of the type run a function, whose code can change.
    pub fn has_code(&self) -> bool {
        self.caching == Caching::OwnOrDefault
    }
}
