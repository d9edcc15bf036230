//! What a check finds.

use std::fmt;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// AWS takes it now, and will not for much longer.
    Warning,
    /// AWS would refuse it, or it would let more through than it should.
    Error,
}

/// Something that is wrong in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub severity: Severity,
    /// What is wrong, with its place.
    pub what: String,
    /// What to do about it.
    pub advice: String,
}

impl Problem {
    pub(crate) fn error(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { severity: Severity::Error, what: what.into(), advice: advice.into() }
    }

    pub(crate) fn warning(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(what, advice) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.advice)
    }
}
