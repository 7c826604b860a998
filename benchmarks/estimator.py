"""`DistilledClassifier(T="auto")`: how long a fit takes, and which soft targets make good students.

python -m benchmarks.estimator [--targets]
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from typing import Any


def measure_fit() -> None:
    """Time a fit on the digits."""
    from sklearn.datasets import load_digits

    from kdtune import DistilledClassifier

    X, y = load_digits(return_X_y=True)
    start, start_of_work = time.perf_counter(), time.process_time()
    classifier = DistilledClassifier(T="auto", random_state=0).fit(X, y)
    seconds, seconds_of_work = time.perf_counter() - start, time.process_time() - start_of_work
    print(
        f"{len(classifier.table_)} networks to choose T = {classifier.best_T_:g} from: {seconds:.1f} s, of which this "
        f"process had the core for {seconds_of_work:.1f} s"
    )


def compare_targets() -> None:
    """Print the mean errors of students on validation rows, for each kind of soft targets and weight of the labels."""
    from sklearn.datasets import load_breast_cancer, load_digits, make_classification

    from kdtune import DistilledClassifier

    made = make_classification(2500, 20, n_informative=8, n_classes=5, flip_y=0.05, random_state=0)
    data_sets: dict[str, Any] = {
        "digits": load_digits(return_X_y=True),
        "breast_cancer": load_breast_cancer(return_X_y=True),
        "make_classification": made,
    }
    for name, (X, y) in data_sets.items():
        for soft_targets in ("out_of_fold", "in_sample"):
            for hard_weight in (0, 1, 10):
                start = time.process_time()
                params: dict[str, Any] = {"soft_targets": soft_targets, "hard_weight": hard_weight}
                fitted = DistilledClassifier(**params, random_state=0).fit(X, y)
                mean = fitted.table_.groupby(["model", "temp"])["val_num_error"].mean()
                print(
                    f"{name}, {int(fitted.table_['n_val'].iloc[0])} validation rows, {soft_targets}, hard_weight "
                    f"{hard_weight}: teacher {mean['teacher'][1]:.1f}, labels alone {mean['student'][1]:.1f}, "
                    f"students {mean['distilled_student'].round(1).to_dict()}, T = {fitted.best_T_:g} "
                    f"{fitted.T_interval_}, {time.process_time() - start:.0f} s",
                    flush=True,
                )


def main() -> None:
    """Measure a fit, or compare soft targets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--targets", action="store_true", help="compare kinds of soft targets and weights of the labels"
    )
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {0})  # Before anything counts the cores.
    if arguments.targets:
        compare_targets()
    else:
        measure_fit()


if __name__ == "__main__":
    main()
