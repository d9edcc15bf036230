"""Write steps of sidestep pipelines in Python: typed arguments in, outputs and artifacts out.

A step is an AWS Lambda function. Its *handler* takes the step's arguments and a `StepContext` and
returns the step's outputs; the decorator `step` makes a Lambda handler of it:

    from dataclasses import dataclass
    from sidestep_step import S3Uri, StepContext, step

    @dataclass
    class Arguments:
        text: S3Uri

    @step
    def handler(arguments: Arguments, ctx: StepContext) -> dict:
        text = ctx.download(arguments.text).text()
        artifact = ctx.put_artifact("upper.txt", text.upper())
        return {"Words": len(text.split()), "Upper": artifact.uri}

Around the handler the package checks the arguments, renews the attempt's lease, and writes the
manifest, which reports the result and starts the steps that depend on this one.
"""

from ._artifact import Artifact
from ._context import Download, StepContext
from ._error import StepError
from ._handler import step
from ._uri import S3Uri

__all__ = ["Artifact", "Download", "S3Uri", "StepContext", "StepError", "step"]
