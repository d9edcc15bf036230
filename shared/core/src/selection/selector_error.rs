//! Why a selector cannot be read or expanded.

use crate::name::StepName;

/// The forms of a selector.
const ALLOWED: &str =
    "STEP, STEP+, +STEP, 2+STEP+1, PATTERN*, FROM..TO, tag:TAG, state:changed or result:failed";

/// The error for a selector that cannot be read, or that names what does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectorError {
    #[error("invalid selector `{selector}`: expected {}", ALLOWED)]
    Unreadable { selector: String },
    #[error("selector `{selector}`: there is no step `{name}`{hint}")]
    UnknownStep { selector: String, name: String, hint: String },
    #[error("selector `{selector}`: no step's name matches (steps: {steps})")]
    NoMatch { selector: String, steps: String },
    #[error("selector `{selector}`: no step has that tag (tags: {tags})")]
    UnknownTag { selector: String, tags: String },
    #[error("selector `{selector}`: no path leads from `{from}` to `{to}`{hint}")]
    NoPath { selector: String, from: StepName, to: StepName, hint: String },
    #[error("selector `{selector}` compares with an earlier execution, and there is none")]
    NoEarlier { selector: String },
}
