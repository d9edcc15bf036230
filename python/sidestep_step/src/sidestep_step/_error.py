"""Failures of a step, with types that stay the same from release to release.

The types are those of the Rust crate.
"""

ARGUMENTS = "Sidestep.Arguments"
INVOCATION = "Sidestep.Invocation"
OUTPUT_NOT_OBJECT = "Sidestep.OutputNotObject"
OUTPUT_TOO_DEEP = "Sidestep.OutputTooDeep"
OUTPUT_TOO_LARGE = "Sidestep.OutputTooLarge"
ARTIFACT = "Sidestep.Artifact"
ARTIFACT_CONFLICT = "Sidestep.ArtifactConflict"
NO_OUTPUT_PREFIX = "Sidestep.NoOutputPrefix"
INPUT_NOT_FOUND = "Sidestep.InputNotFound"
STORE = "Sidestep.Store"
REPORT = "Sidestep.Report"


class StepError(Exception):
    """A failure with a type of its own, by convention `Name.OfTheProblem`, and a readable message.

    Other exceptions fail a step too. Their type is the name of their class.
    """

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


def named(error: StepError) -> StepError:
    """Returns the same error, with a class named after its type.

    Lambda's runtime reports the name of the class.
    """
    kind = type(error.error_type, (StepError,), {})
    renamed: StepError = kind(error.error_type, str(error))
    return renamed
