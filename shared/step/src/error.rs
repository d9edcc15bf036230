//! Failures of a step, with a type that stays the same from release to release.
//!
//! Alarms, retry policies and readers of `sidestep show` go by the type; the message is for people.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use lambda_runtime::Diagnostic;
use sidestep_core::failure::FailureType;
use sidestep_engine::ports::objects::StoreError;

/// Why a step failed: a stable type and a message.
///
/// `?` turns any error into a `StepError` with the type `Sidestep.StepFailed`, whose message is the
/// error with its chain of causes. For a failure that a retry policy or an alarm should tell from
/// others, choose a type with [`StepError::new`].
///
/// ```
/// use sidestep_step::StepError;
///
/// fn parse_year(text: &str) -> Result<u16, StepError> {
///     let year: u16 = text.parse()?; // `Sidestep.StepFailed`
///     if year < 2000 {
///         return Err(StepError::new("Year.TooOld", format!("{year} is before 2000")));
///     }
///     Ok(year)
/// }
///
/// assert_eq!(parse_year("1999").unwrap_err().error_type(), "Year.TooOld");
/// assert_eq!(parse_year("x").unwrap_err().error_type(), "Sidestep.StepFailed");
/// ```
pub struct StepError {
    error_type: Cow<'static, str>,
    message: String,
}

impl StepError {
    /// Makes a failure with a stable type and a message for people.
    ///
    /// By convention the type is `Name.OfTheProblem`.
    pub fn new(error_type: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { error_type: error_type.into(), message: message.into() }
    }

    /// Returns the type, such as `Words.None`.
    pub fn error_type(&self) -> &str {
        &self.error_type
    }

    /// Returns the message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Makes a failure of `failure_type` whose message is the error and its causes.
    pub(crate) fn caused(failure_type: FailureType, error: &(dyn Error + 'static)) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Some errors print their cause themselves.
            if !message.ends_with(&text) {
                message = format!("{message}: {text}");
            }
            cause = error.source();
        }
        Self::new(failure_type, message)
    }
}

/// Makes `?` work on any error. Like `anyhow::Error`, `StepError` is not itself a
/// [`std::error::Error`], which is what makes this conversion possible.
impl<E: Error + Send + Sync + 'static> From<E> for StepError {
    fn from(error: E) -> Self {
        let error: &(dyn Error + 'static) = &error;
        let failure_type = match error.downcast_ref::<StoreError>() {
            Some(StoreError::Conflict { .. }) => FailureType::ArtifactConflict,
            Some(_) => FailureType::Store,
            None => FailureType::StepFailed,
        };
        Self::caused(failure_type, error)
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error_type, self.message)
    }
}

impl From<StepError> for Diagnostic {
    fn from(error: StepError) -> Self {
        Self { error_type: error.error_type.into_owned(), error_message: error.message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_error_becomes_a_step_error_with_its_causes() {
        #[derive(Debug)]
        struct Outer(std::num::ParseIntError);
        impl fmt::Display for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("could not read the year")
            }
        }
        impl Error for Outer {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&self.0)
            }
        }
        let error = StepError::from(Outer("x".parse::<u8>().unwrap_err()));
        assert_eq!(error.error_type(), "Sidestep.StepFailed");
        assert_eq!(error.message(), "could not read the year: invalid digit found in string");
    }

    #[test]
    fn the_type_reaches_lambda_unchanged() {
        let diagnostic = Diagnostic::from(StepError::new("Words.None", "no words"));
        assert_eq!(diagnostic.error_type, "Words.None");
        assert_eq!(diagnostic.error_message, "no words");
    }
}
