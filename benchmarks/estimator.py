"""How long `DistilledClassifier(T="auto").fit` takes on the digits, on one core.

python -m benchmarks.estimator
"""

from __future__ import annotations

import os
import time
import warnings


def main() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {0})  # Before anything counts the cores.
    from sklearn.datasets import load_digits

    from kdtune import DistilledClassifier

    X, y = load_digits(return_X_y=True)
    warnings.simplefilter("ignore")
    start, start_of_work = time.perf_counter(), time.process_time()
    classifier = DistilledClassifier(T="auto", random_state=0).fit(X, y)
    seconds, seconds_of_work = time.perf_counter() - start, time.process_time() - start_of_work
    print(
        f"{len(classifier.table_)} networks to choose T = {classifier.best_T_:g} from: {seconds:.1f} s, of which this "
        f"process had the core for {seconds_of_work:.1f} s"
    )


if __name__ == "__main__":
    main()
