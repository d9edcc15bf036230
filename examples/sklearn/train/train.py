"""Train: fits a logistic regression that tells a wine's cultivar from its measurements."""

import io
from dataclasses import dataclass

import joblib
import numpy
from sidestep_step import S3Uri, StepContext, step
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


@dataclass
class Arguments:
    train: S3Uri
    strength: float


@dataclass
class Outputs:
    model: S3Uri
    rows: int


@step
def handler(arguments: Arguments, ctx: StepContext) -> Outputs:
    table = numpy.loadtxt(ctx.download(arguments.train).reader(), delimiter=",", skiprows=1)
    ctx.progress(0.1, f"{len(table)} wines")
    model = make_pipeline(StandardScaler(), LogisticRegression(C=arguments.strength, max_iter=1000))
    model.fit(table[:, :-1], table[:, -1].astype(int))
    # The same data and versions give the same bytes, so a repeat lets the next steps hit the cache.
    content = io.BytesIO()
    joblib.dump(model, content)
    return Outputs(model=ctx.put_artifact("model.joblib", content.getvalue()).uri, rows=len(table))
