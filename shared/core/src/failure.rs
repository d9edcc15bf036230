//! The failure types that sidestep itself gives to steps, each tied to its page in `docs/errors/`.
//!
//! A user's function reports types of its own, such as the name of a Python exception, so a
//! [`Failure`](crate::execution::commit::Failure) carries free text. Everything that sidestep
//! decides by a failure type is decided here, on an enum, and not on that text. A variant without a
//! page does not compile.

use std::borrow::Cow;
use std::fmt;

macro_rules! failure_types {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A failure type that sidestep gives. Its text stays the same from release to release.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FailureType { $($(#[$doc])* $variant,)* }

        impl FailureType {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the type as steps, retry policies and alarms spell it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Reads a failure type, or returns `None` for one that a user's function made up.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($name => Some(Self::$variant),)* _ => None }
            }
        }

        // Fails to compile for a type without a page; the pages are not part of any program.
        const _: &[&[u8]] = &[
            $(include_bytes!(concat!(
                env!("CARGO_MANIFEST_DIR"), "/../../docs/errors/", $name, ".md"
            )),)*
        ];
    };
}

failure_types! {
    /// The step's arguments could not be made, or do not fit the type that its handler takes.
    Arguments = "Sidestep.Arguments",
    /// An artifact has an invalid name or one that is used already, or there are too many.
    Artifact = "Sidestep.Artifact",
    /// Another run of the same attempt has written the artifact with other content.
    ArtifactConflict = "Sidestep.ArtifactConflict",
    /// Attempt after attempt began, and neither a result nor a failure arrived.
    AttemptLost = "Sidestep.AttemptLost",
    /// The answer to a Callback step was a failure.
    CallbackFailed = "Sidestep.CallbackFailed",
    /// An attempt was lost, and the version of the function that the execution uses is gone.
    CodeChanged = "Sidestep.CodeChanged",
    /// A condition could not be evaluated.
    Condition = "Sidestep.Condition",
    /// The planner could not handle an event.
    Engine = "Sidestep.Engine",
    /// Lambda kept the invocation in its queue until it was too old.
    EventAgeExceeded = "Sidestep.EventAgeExceeded",
    /// A step of type Fail was reached.
    FailStep = "Sidestep.FailStep",
    /// Lambda reports that the invocation failed, without a reason.
    FunctionError = "Sidestep.FunctionError",
    /// An object that the step reads does not exist.
    InputNotFound = "Sidestep.InputNotFound",
    /// The reserved key of the function's event is malformed.
    Invocation = "Sidestep.Invocation",
    /// The job of the step was deleted while the step waited for it.
    JobDeleted = "Sidestep.JobDeleted",
    /// The job of the step ended in a failure that no retry policy of SageMaker's names.
    JobFailed = "Sidestep.JobFailed",
    /// SageMaker refused to make the job.
    JobRefused = "Sidestep.JobRefused",
    /// The job was stopped by another party, while the execution went on.
    JobStopped = "Sidestep.JobStopped",
    /// An attempt of a step with `ExactlyOnceStart` began and was lost.
    LostAfterStart = "Sidestep.LostAfterStart",
    /// The function was invoked by hand and has no place to write an artifact to.
    NoOutputPrefix = "Sidestep.NoOutputPrefix",
    /// A declared output that another step reads was not returned.
    OutputMissing = "Sidestep.OutputMissing",
    /// The function returned something that is not a JSON object, or used the reserved key.
    OutputNotObject = "Sidestep.OutputNotObject",
    /// The step's outputs are nested too deep to be read back.
    OutputTooDeep = "Sidestep.OutputTooDeep",
    /// The step's outputs are over the limit.
    OutputTooLarge = "Sidestep.OutputTooLarge",
    /// A declared output does not convert to its declared type.
    OutputType = "Sidestep.OutputType",
    /// The handler panicked.
    Panic = "Sidestep.Panic",
    /// The step's arguments are larger than what a function can be invoked with.
    PayloadTooLarge = "Sidestep.PayloadTooLarge",
    /// The queue of a Callback step does not exist.
    QueueNotFound = "Sidestep.QueueNotFound",
    /// The step's work is done, but its manifest could not be written.
    Report = "Sidestep.Report",
    /// The handler returned an error without a type of its own.
    StepFailed = "Sidestep.StepFailed",
    /// S3 failed or refused a request of the step.
    Store = "Sidestep.Store",
    /// The step's `TimeoutSeconds` were over, or the SDK ended it before the function's timeout.
    Timeout = "Sidestep.Timeout",
    /// The function that the step names does not exist.
    UnknownFunction = "Sidestep.UnknownFunction",
    /// This version cannot run the step's type.
    UnsupportedStepType = "Sidestep.UnsupportedStepType",
    /// There are no machines for the job right now; SageMaker's name.
    JobCapacity = "SageMaker.CAPACITY_ERROR",
    /// The job failed by an error of the service; SageMaker's name.
    JobInternalError = "SageMaker.JOB_INTERNAL_ERROR",
    /// A quota of the account is too small for the job; SageMaker's name.
    JobResourceLimit = "SageMaker.RESOURCE_LIMIT",
    /// Lambda could not take the invocation; SageMaker's name.
    ServiceFault = "Step.SERVICE_FAULT",
    /// Lambda refuses invocations for now, and the SDK's retries are used up; SageMaker's name.
    Throttling = "Step.THROTTLING",
    /// The function's process ended in the middle of the invocation; Lambda's name.
    RuntimeExitError = "Runtime.ExitError",
    /// The function's program could not be started; Lambda's name.
    RuntimeInvalidEntrypoint = "Runtime.InvalidEntrypoint",
    /// The function's response is not valid JSON; Lambda's name.
    RuntimeInvalidResponse = "Runtime.InvalidResponse",
    /// The function took more memory than it has; Lambda's name.
    RuntimeOutOfMemory = "Runtime.OutOfMemory",
    /// The function's runtime reported a failure without a type; Lambda's name.
    RuntimeUnknown = "Runtime.Unknown",
    /// The handler cannot read its event; Lambda's name.
    RuntimeUnmarshalError = "Runtime.UnmarshalError",
    /// The function's response is larger than Lambda takes; Lambda's name.
    ResponseSizeTooLarge = "Function.ResponseSizeTooLarge",
    /// The embedded Lambda host lost an environment without knowing why.
    SandboxFailure = "Sandbox.Failure",
    /// The embedded Lambda host was stopped while the function ran.
    SandboxShutdown = "Sandbox.Shutdown",
    /// The function did not answer within its timeout and was killed; Lambda's name.
    SandboxTimedout = "Sandbox.Timedout",
}

impl FailureType {
    /// Returns true if the call of the function service itself failed: such failures are retried
    /// even if no policy names them.
    pub fn is_retried_by_default(self) -> bool {
        matches!(self, Self::Throttling | Self::ServiceFault)
    }

    /// Returns true if only a policy that names this very type retries it.
    ///
    /// Most of these would only repeat: the planner gives them, about what the attempt was given or
    /// gave. After `LostAfterStart`, another attempt may do again what is to be done once.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::LostAfterStart
                | Self::Arguments
                | Self::Condition
                | Self::CodeChanged
                | Self::FailStep
                | Self::JobRefused
                | Self::OutputMissing
                | Self::OutputType
                | Self::OutputTooLarge
                | Self::PayloadTooLarge
                | Self::UnknownFunction
                | Self::UnsupportedStepType
        )
    }

    /// Returns true if time ran out: the function's own limit, or the step's `TimeoutSeconds`.
    pub fn is_timeout(self) -> bool {
        matches!(self, Self::Timeout | Self::SandboxTimedout)
    }

    /// Returns true if the planner gives up an attempt with this type before the attempt reports.
    /// A report that arrives afterwards is news, and kept as a late report.
    pub fn was_given_up(self) -> bool {
        matches!(self, Self::Timeout | Self::AttemptLost | Self::CodeChanged | Self::LostAfterStart)
    }
}

impl fmt::Display for FailureType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<FailureType> for String {
    fn from(failure_type: FailureType) -> Self {
        failure_type.as_str().to_owned()
    }
}

impl From<FailureType> for Cow<'static, str> {
    fn from(failure_type: FailureType) -> Self {
        Cow::Borrowed(failure_type.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_reads_back_as_written() {
        for failure_type in FailureType::ALL {
            assert_eq!(FailureType::parse(failure_type.as_str()), Some(*failure_type));
        }
        assert_eq!(FailureType::parse("ValueError"), None);
    }
}
