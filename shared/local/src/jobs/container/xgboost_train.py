"""SageMaker's built-in algorithm XGBoost, by the package `xgboost`.

CSV (the label is the first column, no header) and libsvm; the channels `train` and `validation`;
the documented hyperparameters. Models of versions up to 1.2 are pickled, as SageMaker's are.
"""

import json
import os
import pickle
import sys

import numpy as np
import xgboost as xgb

BASE = os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")
CONFIG = os.path.join(BASE, "input", "config")
# Hyperparameters that are not parameters of the booster.
OWN = {
    "_kfold",
    "_num_cv_round",
    "_nfolds",
    "_tuning_objective_metric",
    "csv_weights",
    "deterministic_histogram",
    "early_stopping_rounds",
    "num_round",
    "save_model_on_termination",
    "use_dask_gpu_training",
}


class UserError(Exception):
    pass


def read(name):
    path = os.path.join(CONFIG, name)
    with open(path) as file:
        return json.load(file)


def typed(value):
    try:
        return json.loads(value)
    except (TypeError, ValueError):
        return value


def files(channel):
    folder = os.path.join(BASE, "input", "data", channel)
    found = []
    for place, _, names in os.walk(folder):
        found += [os.path.join(place, name) for name in names if not name.startswith((".", "_"))]
    return sorted(found)


def libsvm(paths):
    labels, rows, columns, values = [], [], [], []
    for path in paths:
        with open(path) as file:
            for line in file:
                parts = line.split("#")[0].split()
                if not parts:
                    continue
                for part in parts[1:]:
                    index, _, value = part.partition(":")
                    if index == "qid":
                        continue
                    rows.append(len(labels))
                    columns.append(int(index))
                    values.append(float(value))
                labels.append(float(parts[0].split(":")[0]))
    from scipy.sparse import csr_matrix

    return csr_matrix((values, (rows, columns)), shape=(len(labels), max(columns, default=0) + 1)), labels


def matrix(channel, content_type, weighted):
    paths = files(channel)
    kind = (content_type or "text/libsvm").split(";")[0].strip().lower()
    try:
        if kind in ("csv", "text/csv"):
            tables = []
            for path in paths:
                if os.path.getsize(path) > 0:
                    tables.append(np.genfromtxt(path, delimiter=",", dtype=np.float32, ndmin=2))
            table = np.concatenate(tables)
            # A text is no number here, and a header is a text.
            if np.isnan(table[:, 0]).any():
                raise UserError("the first column of the CSV is the label: expected numbers, no header")
            start = 2 if weighted else 1
            weight = table[:, 1] if weighted else None
            return xgb.DMatrix(table[:, start:], label=table[:, 0], weight=weight)
        if kind in ("libsvm", "text/libsvm", "text/x-libsvm"):
            data, labels = libsvm(paths)
            return xgb.DMatrix(data, label=labels)
    except (ValueError, IndexError) as error:
        raise UserError(f"channel `{channel}` is not {kind}: {error}")
    raise UserError(f"content type `{kind}` of channel `{channel}`: expected text/csv or text/libsvm")


def train():
    given = {name: typed(value) for name, value in read("hyperparameters.json").items()}
    channels = read("inputdataconfig.json")
    if "train" not in channels:
        raise UserError("channel `train` is required")
    rounds = given.get("num_round")
    if not isinstance(rounds, int) or rounds < 1:
        raise UserError("hyperparameter `num_round` is required: a whole number from 1")
    weighted = str(given.get("csv_weights", "0")) == "1"
    data = {}
    for name in ("train", "validation"):
        if name in channels:
            data[name] = matrix(name, channels[name].get("ContentType"), weighted)
    parameters = {k: v for k, v in given.items() if k not in OWN and not k.startswith("_")}
    metrics = parameters.get("eval_metric")
    if isinstance(metrics, str):
        parameters["eval_metric"] = [one.strip() for one in metrics.split(",")]
    for name in ("monotone_constraints", "interaction_constraints", "updater"):
        if name in parameters and not isinstance(parameters[name], str):
            parameters[name] = str(parameters[name])
    if parameters.get("verbosity") is None and "silent" in parameters:
        parameters.pop("silent")

    class Report(xgb.callback.TrainingCallback):
        def after_iteration(self, model, epoch, evals_log):
            parts = [f"[{epoch}]"]
            for name, metrics in evals_log.items():
                parts += [f"{name}-{metric}:{values[-1]:.5f}" for metric, values in metrics.items()]
            print("\t".join(parts), flush=True)
            return False

    stopping = given.get("early_stopping_rounds")
    booster = xgb.train(
        parameters,
        data["train"],
        num_boost_round=rounds,
        evals=[(matrix, name) for name, matrix in data.items()],
        early_stopping_rounds=int(stopping) if stopping else None,
        verbose_eval=False,
        callbacks=[Report()],
    )
    path = os.path.join(BASE, "model", "xgboost-model")
    version = os.environ.get("SIDESTEP_XGBOOST_IMAGE", "")
    if version.startswith(("0.", "1.0", "1.2", "1-", "latest")) or version == "1":
        with open(path, "wb") as file:
            pickle.dump(booster, file, protocol=4)
    else:
        booster.save_model(path)


def main():
    try:
        train()
    except (UserError, xgb.core.XGBoostError, ValueError) as error:
        message = str(error).split("Stack trace")[0].strip()
        with open(os.path.join(BASE, "output", "failure"), "w") as file:
            file.write(f"Customer Error: {message}")
        print(f"Customer Error: {message}", file=sys.stderr)
        sys.exit(1)


main()
