"""Prepare: keeps every fourth wine for the test and trains on the others."""

import csv
import io
from dataclasses import dataclass

from sidestep_step import S3Uri, StepContext, StepError, step


@dataclass
class Arguments:
    wines: S3Uri


@dataclass
class Outputs:
    train: S3Uri
    test: S3Uri
    rows: int


@step
def handler(arguments: Arguments, ctx: StepContext) -> Outputs:
    head, *rows = csv.reader(io.StringIO(ctx.download(arguments.wines).text()))
    if head[-1:] != ["cultivar"]:
        raise StepError("Prepare.Columns", f"the last column of `{arguments.wines}` is not `cultivar`")
    # By position, so that another run makes the same split.
    train = ctx.put_artifact("train.csv", table(head, [row for at, row in enumerate(rows) if at % 4]))
    test = ctx.put_artifact("test.csv", table(head, rows[::4]))
    return Outputs(train=train.uri, test=test.uri, rows=len(rows))


def table(head: list[str], rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    return text.getvalue()
