//! What a refused call to the service of jobs means.

use crate::execution::commit::Failure;
use crate::failure::FailureType;

/// A call that the service answered with an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub status: u16,
    /// The last part of the error's type.
    pub code: String,
    pub message: String,
}

/// What to make of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The same call may succeed later, and counts as no attempt.
    Throttled,
    /// A job with the name exists.
    InUse,
    /// There is no such job.
    NotFound,
    /// The step fails with this.
    Failed(Failure),
}

impl Refused {
    /// Returns what the refusal of `operation` means.
    pub fn meaning(&self, operation: &str) -> Refusal {
        let Self { status, code, message } = self;
        let is_validation = code == "ValidationException";
        let has = |text: &str| message.to_ascii_lowercase().contains(text);
        let is_throttle = ["ThrottlingException", "TooManyRequestsException"]
            .contains(&code.as_str())
            || ["RequestLimitExceeded", "Throttling"].contains(&code.as_str())
            || *status == 429;
        if is_throttle {
            return Refusal::Throttled;
        }
        if code == "ResourceInUse" || is_validation && has("already exist") {
            return Refusal::InUse;
        }
        if operation.starts_with("Create") {
            return Refusal::Failed(
                self.failure(operation, has("is not available in this region")),
            );
        }
        let is_missing = ["not found", "could not find", "does not exist"].into_iter().any(has);
        if code.starts_with("ResourceNotFound") || is_validation && is_missing {
            return Refusal::NotFound;
        }
        Refusal::Failed(self.failure(operation, false))
    }

    fn failure(&self, operation: &str, is_unavailable: bool) -> Failure {
        let Self { status, code, message } = self;
        let is_fault =
            *status >= 500 || ["InternalFailure", "ServiceUnavailable"].contains(&code.as_str());
        let failure_type = if code == "ResourceLimitExceeded" || is_unavailable {
            FailureType::JobResourceLimit
        } else if is_fault {
            FailureType::ServiceFault
        } else {
            FailureType::JobRefused
        };
        let details = if message.is_empty() { code } else { message };
        let text = format!(
            "ClientError: Failed to invoke sagemaker:{operation}. Error Details: {details}"
        );
        Failure::new(failure_type, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_by_its_code_and_where_the_code_is_too_wide_by_its_text() {
        const CREATE: &str = "CreateTrainingJob";
        let failed = |failure_type: FailureType| failure_type.as_str();
        for (operation, status, code, message, expected) in [
            (CREATE, 400, "ThrottlingException", "Rate exceeded", "Throttled"),
            (CREATE, 429, "", "", "Throttled"),
            (CREATE, 400, "ResourceInUse", "Training job names must be unique", "InUse"),
            (CREATE, 400, "ValidationException", "Cannot create already existing model", "InUse"),
            (
                "DescribeTrainingJob",
                400,
                "ValidationException",
                "Requested resource not found.",
                "NotFound",
            ),
            (
                "DescribeProcessingJob",
                400,
                "ValidationException",
                "Could not find requested job",
                "NotFound",
            ),
            ("DescribeProcessingJob", 400, "ResourceNotFound", "", "NotFound"),
            (
                CREATE,
                400,
                "ResourceLimitExceeded",
                "is 0 Instances",
                failed(FailureType::JobResourceLimit),
            ),
            (
                CREATE,
                400,
                "ValidationException",
                "training-job/ml.t3.medium is not available in this region",
                failed(FailureType::JobResourceLimit),
            ),
            (CREATE, 500, "InternalFailure", "", failed(FailureType::ServiceFault)),
            (CREATE, 503, "", "", failed(FailureType::ServiceFault)),
            (CREATE, 400, "ValidationException", "role not found", failed(FailureType::JobRefused)),
            (CREATE, 400, "AccessDeniedException", "no AddTags", failed(FailureType::JobRefused)),
            (
                "StopTrainingJob",
                400,
                "ValidationException",
                "in status Completed.",
                failed(FailureType::JobRefused),
            ),
        ] {
            let refused = Refused { status, code: code.to_owned(), message: message.to_owned() };
            let found = match refused.meaning(operation) {
                Refusal::Throttled => "Throttled".to_owned(),
                Refusal::InUse => "InUse".to_owned(),
                Refusal::NotFound => "NotFound".to_owned(),
                Refusal::Failed(failure) => failure.error_type,
            };
            assert_eq!(found, expected, "{operation} {code} {message}");
        }
    }
}
