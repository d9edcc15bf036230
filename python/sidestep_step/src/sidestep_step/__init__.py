"""Steps of sidestep pipelines in Python.

A handler takes the step's arguments and a `StepContext`, and returns the step's outputs. `step` turns
it into a Lambda handler.
"""

from ._artifact import Artifact
from ._context import Download, StepContext
from ._error import StepError
from ._handler import step
from ._uri import S3Uri

__all__ = ["Artifact", "Download", "S3Uri", "StepContext", "StepError", "step"]
