"""Failures of a step, with a type that stays the same from release to release.

The types are those of the Rust crate. Alarms, retry policies and readers of `sidestep show` go by
the type; the message is for people.
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
    """A failure with a stable type and a message for people.

    By convention the type is `Name.OfTheProblem`. Other exceptions fail a step too, with the name of
    their class as type.
    """

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


def named(error: StepError) -> StepError:
    """Returns the same error as an instance of a class that is named like its type.

    Lambda's runtime reports the name of the class.
    """
    kind = type(error.error_type, (StepError,), {})
    renamed: StepError = kind(error.error_type, str(error))
    return renamed
