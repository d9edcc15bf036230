"""Splits the Abalone data into train, validation and test sets, as numbers with the label first."""

import argparse
import csv
import pathlib

import numpy as np

BASE = pathlib.Path("/opt/ml/processing")
SEXES = ["F", "I", "M"]


def read(folder):
    """Returns a row for each abalone: rings, one-hot sex, seven measures."""
    rows = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="") as file:
            for sex, *numbers in csv.reader(file):
                *measures, rings = map(float, numbers)
                rows.append([rings, *(float(sex == it) for it in SEXES), *measures])
    return np.array(rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()

    rows = read(BASE / "input")
    features = rows[:, 1:]
    rows[:, 1:] = (features - features.mean(axis=0)) / features.std(axis=0)
    np.random.default_rng(arguments.seed).shuffle(rows)
    train, validation, test = np.split(rows, [int(0.7 * len(rows)), int(0.85 * len(rows))])
    for name, part in [("train", train), ("validation", validation), ("test", test)]:
        folder = BASE / name
        folder.mkdir(parents=True, exist_ok=True)
        np.savetxt(folder / f"{name}.csv", part, delimiter=",", fmt="%.6f")
        print(f"{name}: {len(part)} rows")


if __name__ == "__main__":
    main()
