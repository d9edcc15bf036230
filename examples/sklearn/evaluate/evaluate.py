"""Evaluate: measures how often the model is right about wines that it has not seen."""

from dataclasses import dataclass

import joblib
import numpy
from sidestep_step import S3Uri, StepContext, step


@dataclass
class Arguments:
    test: S3Uri
    model: S3Uri


@dataclass
class Outputs:
    accuracy: float
    baseline: float
    confusion: S3Uri


@step
def handler(arguments: Arguments, ctx: StepContext) -> Outputs:
    table = numpy.loadtxt(ctx.download(arguments.test).reader(), delimiter=",", skiprows=1)
    # Loading a model runs code: load only models that your own pipeline wrote.
    model = joblib.load(ctx.download(arguments.model).file())
    truth, guess = table[:, -1].astype(int), model.predict(table[:, :-1])
    confusion = numpy.zeros((3, 3), dtype=int)
    numpy.add.at(confusion, (truth, guess), 1)
    artifact = ctx.put_json("confusion.json", confusion.tolist())
    return Outputs(
        accuracy=float(numpy.mean(truth == guess)),
        baseline=float(numpy.bincount(truth).max() / len(truth)),
        confusion=artifact.uri,
    )
