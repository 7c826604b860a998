"""Which soft targets of an ensemble make better students: out of fold or in sample, and above which floor.

    python -m benchmarks.soft_targets [--data digits breast_cancer ...] [--folder FOLDER]

Four ensembles teach students of two widths on four data sets; data, teacher and student are redrawn in each replicate.
Errors are those at the T that is chosen by validation errors, nll that at the T chosen by validation nll, for each
teacher, width and kind of targets. Prints means over the widths, and paired differences with 95 % intervals (Student's
t over the replicates). With --folder the tables are kept, and read again if they are there.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

Estimator = Any

TEMPERATURES = [0.25, 0.5, 1, 2, 4, 8]
FLOORS = [1e-4, 1e-6, 1e-3, 1e-2]  # the default first
FLOOR = FLOORS[0]
OUT_OF_FOLD, IN_SAMPLE = "out_of_fold", "in_sample"
TEACHERS = ["extra trees", "extra trees, leaves of 2", "random forest", "gradient boosting"]
# Blocks of a sweep file: the data, how students train until they are good, how many replicates.
PROBLEMS: dict[str, dict[str, Any]] = {
    "digits": {
        "dataset": {"kind": "digits"},
        "student": {"depth": 2, "width": {"grid_search": [8, 32]}},
        "train": {"epochs": 40, "batch_size": 32, "lr": 0.003},
        "replicates": 5,
    },
    "breast_cancer": {
        "dataset": {
            "kind": "python",
            "factory": "sklearn.datasets:load_breast_cancer",
            "args": {"return_X_y": True},
            "scale": "standard",
        },
        "student": {"depth": 2, "width": {"grid_search": [4, 16]}},
        "train": {"epochs": 50, "batch_size": 32, "lr": 0.003},
        "replicates": 10,  # It has 569 examples.
    },
    "make_classification": {
        "dataset": {
            "kind": "make_classification",
            "n_samples": 3000,
            "n_features": 20,
            "n_classes": 5,
            "p_informative": 0.6,
            "n_clusters_per_class": 2,
            "flip_y": 0.05,
            "test_size": 0.34,
        },
        "student": {"depth": 2, "width": {"grid_search": [8, 32]}},
        "train": {"epochs": 30, "batch_size": 32, "lr": 0.003},
        "replicates": 5,
    },
    "useless_features": {  # Of 40 features 8 tell something: ensembles see which, small networks learn the noise.
        "dataset": {
            "kind": "python",
            "factory": "sklearn.datasets:make_classification",
            "args": {
                "n_samples": 2400,
                "n_features": 40,
                "n_informative": 8,
                "n_redundant": 0,
                "n_classes": 4,
                "class_sep": 1.2,
                "flip_y": 0.03,
                "random_state": 0,
            },
            "scale": "standard",
            "test_size": 0.34,
        },
        "student": {"depth": 2, "width": {"grid_search": [8, 32]}},
        "train": {"epochs": 30, "batch_size": 32, "lr": 0.003},
        "replicates": 5,
    },
}


class KeptEstimator:
    """An estimator that is fitted once on the same rows: kinds of targets and floors differ in what follows."""

    fitted_estimators: dict[tuple[str, str], Estimator] = {}  # noqa: RUF012

    def __init__(self, estimator: Estimator) -> None:
        self.estimator = estimator

    def get_params(self) -> dict[str, Any]:
        params: dict[str, Any] = self.estimator.get_params()
        return params

    def set_params(self, **params: Any) -> KeptEstimator:
        self.estimator.set_params(**params)
        return self

    def fit(self, x: Any, y: Any) -> None:
        rows = hashlib.sha256(np.ascontiguousarray(x).tobytes() + np.ascontiguousarray(y).tobytes()).hexdigest()
        key = (repr(self.estimator), rows)
        if key not in self.fitted_estimators:
            self.fitted_estimators[key] = self.estimator.fit(x, y)
        self.estimator = self.fitted_estimators[key]
        self.classes_ = self.estimator.classes_

    def predict_proba(self, x: Any) -> Any:
        return self.estimator.predict_proba(x)


def make_teacher(ensemble: str) -> KeptEstimator:
    from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier

    estimators = {
        "extra trees": ExtraTreesClassifier(),
        "extra trees, leaves of 2": ExtraTreesClassifier(min_samples_leaf=2),
        "random forest": RandomForestClassifier(),
        "gradient boosting": HistGradientBoostingClassifier(max_iter=50),
    }
    return KeptEstimator(estimators[ensemble])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=list(PROBLEMS), choices=list(PROBLEMS))
    parser.add_argument("--folder", type=Path, help="where tables are kept")
    arguments = parser.parse_args()
    tables = {}
    for name in arguments.data:
        path = None if arguments.folder is None else arguments.folder / f"{name}.parquet"
        tables[name] = pd.read_parquet(path) if path is not None and path.exists() else sweep(name)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            tables[name].to_parquet(path)
    students = {name: select_students(table) for name, table in tables.items()}
    for name, table in tables.items():
        baselines = table[table.model == "student"]
        teachers = table[(table.model == "teacher") & (table.floor == FLOOR)]
        print(f"{name}: {len(table)} networks, {table.n_test.iloc[0]} test examples; errors and nll")
        for label, networks in (("teachers", teachers), ("students on labels alone", baselines)):
            print(f"  {label}: {networks.num_error.mean():.1f}, {networks.nll.mean():.3f}", flush=True)
    print(f"\nin sample minus out of fold, at a floor of {FLOOR:g}\n")
    print_rows(["data", "teacher", "measure", OUT_OF_FOLD, IN_SAMPLE, "difference", "T"], compare_targets(students))
    print(f"\na floor minus that of {FLOOR:g}, in sample, all teachers\n")
    print_rows(["data", "measure", *(f"{floor:g}" for floor in FLOORS)], compare_floors(students))


def sweep(name: str) -> pd.DataFrame:
    """Train the teachers and students of one problem in this process."""
    import kdtune

    teacher = {
        "kind": "sklearn",
        "factory": "benchmarks.soft_targets:make_teacher",
        "args": {"ensemble": {"grid_search": TEACHERS}},
    }
    variants = [(OUT_OF_FOLD, FLOOR), *((IN_SAMPLE, floor) for floor in FLOORS)]
    teachers = [{**teacher, "soft_targets": targets, "floor": floor} for targets, floor in variants]
    blocks = {
        "name": name,
        "teacher": {"grid_search": teachers},
        "distill": {"T": {"grid_search": TEMPERATURES}},
        **PROBLEMS[name],
    }
    with tempfile.TemporaryDirectory() as folder:
        table = kdtune.sweep(blocks, results=folder, workers=0, pack=72, keep_students="none", progress=False)
    errors = table.error[table.status != "done"]
    if len(errors):
        raise SystemExit(f"{name}: {errors.iloc[0]}")
    return table


def select_students(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each replicate, teacher, width, kind of targets and floor: errors and nll at the chosen T."""
    students = table[table.model == "distilled_student"]
    students = students.assign(
        teacher=students.teacher_ensemble, targets=students.teacher_soft_targets, floor=students.teacher_floor
    )
    cell = ["teacher", "width", "targets", "floor"]
    means = students.groupby([*cell, "temp"])[["val_num_error", "val_nll"]].mean().reset_index()
    chosen = {}
    for measure, order in (("num_error", ["val_num_error", "val_nll"]), ("nll", ["val_nll"])):
        best = means.sort_values(order, kind="stable").drop_duplicates(cell)[[*cell, "temp"]]
        rows = students.merge(best, on=[*cell, "temp"]).set_index([*cell, "replicate"])
        chosen[measure] = rows[measure].astype(float)
        chosen[f"T of {measure}"] = rows["temp"]
    return pd.DataFrame(chosen)


def compare_targets(students: dict[str, pd.DataFrame]) -> Iterator[list[str]]:
    """Yield rows of text: for each data set, teacher and measure both kinds of targets, and their difference."""
    for name, rows in students.items():
        for teacher in [*TEACHERS, "all"]:
            of_teacher = rows if teacher == "all" else rows.xs(teacher, level="teacher", drop_level=False)
            of_floor = of_teacher.xs(FLOOR, level="floor")
            for measure in ("num_error", "nll"):
                pairs = of_floor[measure].groupby(["replicate", "targets"]).mean().unstack()
                difference = describe_difference(pairs[IN_SAMPLE] - pairs[OUT_OF_FOLD], pairs[OUT_OF_FOLD].mean())
                T = of_floor[f"T of {measure}"].groupby("targets").unique()
                chosen = " / ".join(", ".join(f"{t:g}" for t in sorted(T[kind])) for kind in (OUT_OF_FOLD, IN_SAMPLE))
                means = [f"{pairs[kind].mean():.3g}" for kind in (OUT_OF_FOLD, IN_SAMPLE)]
                yield [name, teacher, measure, *means, difference, chosen]


def compare_floors(students: dict[str, pd.DataFrame]) -> Iterator[list[str]]:
    """Yield rows of text: for each data set and measure the mean at the first floor, and its change at the others."""
    for name, rows in students.items():
        in_sample = rows.xs(IN_SAMPLE, level="targets")
        for measure in ("num_error", "nll"):
            means = in_sample[measure].groupby(["replicate", "floor"]).mean().unstack()
            base = means[FLOOR]
            changes = [describe_difference(means[floor] - base, base.mean()) for floor in FLOORS[1:]]
            yield [name, measure, f"{base.mean():.3g}", *changes]


def describe_difference(differences: pd.Series, base: float) -> str:
    """Return a mean of paired differences with its 95 % interval, and as a share of ``base``."""
    mean = differences.mean()
    low, high = stats.t.interval(0.95, len(differences) - 1, mean, stats.sem(differences))
    return f"{mean:+.3g} ({low:+.3g} to {high:+.3g}), {mean / base:+.0%}"


def print_rows(header: list[str], rows: Iterator[list[str]]) -> None:
    print("| " + " | ".join(header) + " |")
    print("| --- " * len(header) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
