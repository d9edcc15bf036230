"""Why a step failed, with a type that stays the same from release to release. The types are those of the Rust crate."""

ARGUMENTS = "Sidestep.Arguments"
INVOCATION = "Sidestep.Invocation"
OUTPUT_NOT_OBJECT = "Sidestep.OutputNotObject"
OUTPUT_TOO_LARGE = "Sidestep.OutputTooLarge"
ARTIFACT = "Sidestep.Artifact"
ARTIFACT_CONFLICT = "Sidestep.ArtifactConflict"
NO_OUTPUT_PREFIX = "Sidestep.NoOutputPrefix"
INPUT_NOT_FOUND = "Sidestep.InputNotFound"
STORE = "Sidestep.Store"
REPORT = "Sidestep.Report"


class StepError(Exception):
    """A failure with a type of its own, by convention `Name.OfTheProblem`, and a message for people.

    Other exceptions fail a step too, under their class's name.
    """

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


def named(error: StepError) -> StepError:
    """The same error, of a class that is called like its type: Lambda's runtime reports the class's name."""
    kind = type(error.error_type, (StepError,), {})
    renamed: StepError = kind(error.error_type, str(error))
    return renamed
