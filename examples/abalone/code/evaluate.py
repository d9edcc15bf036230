"""Measures the trained model on the test set, and writes the report that the condition reads."""

import json
import pathlib
import tarfile

import numpy as np
import xgboost

BASE = pathlib.Path("/opt/ml/processing")


def main():
    with tarfile.open(BASE / "model" / "model.tar.gz") as archive:
        archive.extractall(BASE / "model")
    model = xgboost.Booster()
    model.load_model(BASE / "model" / "xgboost-model")

    rows = np.loadtxt(BASE / "test" / "test.csv", delimiter=",")
    errors = rows[:, 0] - model.predict(xgboost.DMatrix(rows[:, 1:]))
    mse = float(np.mean(errors**2))
    report = {"regression_metrics": {"mse": {"value": mse, "standard_deviation": float(np.std(errors))}}}

    folder = BASE / "evaluation"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evaluation.json").write_text(json.dumps(report))
    print(f"mean squared error: {mse:.3f}")


if __name__ == "__main__":
    main()
