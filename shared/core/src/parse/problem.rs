//! Problems of a definition and their places.
//!
//! A [`Problem`] names its place three times: as a JSON pointer for programs, as line and column
//! for editors, and by the step for people. Its [`Code`] is stable and listed in
//! `docs/definition.md`. The command decides how it is printed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The severity of a problem: an error makes a definition unusable, a warning does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Severity {
    Error,
    Warning,
}

/// One problem of a definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Problem {
    pub severity: Severity,
    pub code: Code,
    /// The JSON pointer (RFC 6901), empty for the whole document. It is exact: unlike in the texts,
    /// control characters of keys are not escaped.
    pub pointer: String,
    /// The innermost step around the place, as its `Name` is written.
    #[serde(rename = "StepName", default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    pub message: String,
    /// The allowed values, if they are a short list or rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
    /// A suggestion of what the author probably meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Problem {
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Problem {
    /// Writes message, allowed values and hint on one line, without the place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(allowed) = &self.allowed {
            write!(f, " (allowed: {allowed})")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, " (hint: {hint})")?;
        }
        Ok(())
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The kind of a problem. Names are stable; new ones may be added.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Returns the name as it is in JSON and in `docs/definition.md`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }
    };
}

codes! {
    /// The bytes are not UTF-8.
    InvalidUtf8,
    /// The text is not JSON, or not YAML.
    InvalidSyntax,
    /// A part of YAML that has no counterpart in JSON, or that this version refuses.
    UnsupportedYaml,
    /// The text holds no value.
    EmptyDocument,
    /// One key twice in one object.
    DuplicateKey,
    /// A number that neither a 64-bit integer nor a 64-bit float can hold.
    NumberOutOfRange,
    /// A limit of `docs/definition.md` is exceeded.
    LimitExceeded,
    /// Another JSON type was expected.
    WrongType,
    /// A required key is missing.
    MissingKey,
    /// A key that is unknown in this place.
    UnknownKey,
    /// Two keys of which one excludes the other.
    ConflictingKeys,
    /// A value outside the fixed set of this place.
    InvalidValue,
    /// A name that does not match its pattern.
    InvalidName,
    /// A name that is already used.
    DuplicateName,
    /// A step type that SageMaker does not have.
    UnknownStepType,
    /// A condition type that SageMaker does not have.
    UnknownConditionType,
    /// An object that looks like an expression and is not a valid one.
    InvalidExpression,
    /// A property path or JSON path that does not follow its grammar.
    InvalidPath,
    /// A step that is not in the definition.
    UnknownStep,
    /// A function that the project does not have.
    UnknownFunction,
    /// A parameter that is not declared.
    UnknownParameter,
    /// A property that the step does not have.
    UnknownProperty,
    /// An execution variable that does not exist.
    UnknownVariable,
    /// A reference that is allowed elsewhere, but not here.
    MisplacedReference,
    /// A step that waits for a Fail step.
    FailDependency,
    /// A step that waits for itself.
    SelfDependency,
    /// Steps that wait for each other in a circle.
    Cycle,
    /// A value whose type can never fit.
    TypeMismatch,
    /// `ExpireAfter` that is not a duration.
    InvalidDuration,
    /// `FunctionArn` that is neither a function's name nor its ARN.
    InvalidFunctionArn,
    /// `SqsQueueUrl` that is not a URL.
    InvalidQueueUrl,
    /// A text that is not an S3 URI.
    InvalidS3Uri,
    /// Warning: caching is on, and no two executions can ever share the result.
    NeverCached,
    /// Warning: a parameter that nothing reads.
    UnusedParameter,
    /// Warning: a part that can have no effect.
    NoEffect,
    /// Warning: a step that waits for both branches of a condition.
    NeverRuns,
    /// Too many problems; the rest are not listed.
    TooManyProblems,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_reads_in_json_as_its_name() {
        for code in Code::ALL {
            let text = serde_json::to_string(code).expect("a unit variant");
            assert_eq!(text, format!("\"{}\"", code.name()));
        }
    }
}
