"""Part III of the tutorial by plain Ray Tune: one trial a network, workers reused, eager PyTorch.

What a competent user of Ray would write without kdtune: a first ``Tuner.fit`` for the nine teachers,
a second one for the 81 students, data sets cached in the workers, logits passed through a folder.
One thread a worker. It is what ``benchmarks.grid`` compares with.

    python -m benchmarks.plain_ray_tune [EPOCHS]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")

import numpy as np
import ray
import torch
from ray import tune
from sklearn.datasets import make_classification
from torch import nn

TEMPERATURES = [2, 2.5, 3, 4, 5, 10, 15, 20]
BATCH = 100


def data(class_sep: float, p_informative: float) -> tuple[torch.Tensor, ...]:
    informative = round(p_informative * 100)
    x, y = make_classification(
        50_000, 100, n_informative=informative, n_redundant=100 - informative, n_classes=10,
        n_clusters_per_class=1, class_sep=class_sep, random_state=0,
    )  # fmt: skip
    x = (x - x[:40_000].mean(0)) / x[:40_000].std(0)
    xs, ys = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
    return xs[:40_000], ys[:40_000], xs[40_000:], ys[40_000:]


def perceptron(hidden: list[int], dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    width = 100
    for size in hidden:
        layers += [nn.Linear(width, size), nn.ReLU()] + ([nn.Dropout(dropout)] if dropout else [])
        width = size
    return nn.Sequential(*layers, nn.Linear(width, 10))


class Network(tune.Trainable):
    """One trial trains one network, all epochs in one step."""

    def setup(self, config: dict[str, Any]) -> None:
        torch.set_num_threads(1)
        self.data: dict[tuple[float, float], tuple[torch.Tensor, ...]] = {}

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        return True

    def step(self) -> dict[str, Any]:
        c = self.config
        cell = c["class_sep"], c["p_informative"]
        if cell not in self.data:
            self.data[cell] = data(*cell)
        x, y, x_test, y_test = self.data[cell]
        folder = Path(c["folder"])
        logits_file = folder / f"{c['class_sep']}-{c['p_informative']}.npy"
        teacher = c["model"] == "teacher"
        T = c["T"]
        q = torch.softmax(torch.from_numpy(np.load(logits_file)) / T, 1) if T else y
        net = perceptron([100, 100, 100] if teacher else [50, 50], 0.2 if teacher else 0.0)
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, eps=1e-7)
        for _ in range(c["epochs"]):
            order = torch.randperm(len(x))
            for start in range(0, len(x), BATCH):
                picked = order[start : start + BATCH]
                z = net(x[picked])
                loss = (
                    T**2 * nn.functional.cross_entropy(z / T, q[picked])
                    if T
                    else nn.functional.cross_entropy(z, q[picked])
                )
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        net.eval()
        with torch.no_grad():
            if teacher:
                np.save(logits_file, net(x).numpy())
            errors = int((net(x_test).argmax(1) != y_test).sum())
        return {"done": True, "num_error": errors}

    def save_checkpoint(self, checkpoint_dir: str) -> None: ...

    def load_checkpoint(self, checkpoint: Any) -> None: ...


def main(epochs: int) -> float:
    start = time.perf_counter()
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    with tempfile.TemporaryDirectory() as folder:
        cells = {
            "class_sep": tune.grid_search([0.2, 0.6, 1.0]),
            "p_informative": tune.grid_search([0.5, 0.8, 1.0]),
            "folder": folder,
            "epochs": epochs,
        }
        results = []
        for space in (
            {**cells, "model": "teacher", "T": 0},
            {**cells, "model": "student", "T": tune.grid_search([0, *TEMPERATURES])},
        ):
            tuner = tune.Tuner(
                Network,
                param_space=space,
                tune_config=tune.TuneConfig(reuse_actors=True),
                run_config=tune.RunConfig(storage_path=folder, verbose=0),
            )
            results += [{**r.config, "num_error": r.metrics["num_error"]} for r in tuner.fit()]
    ray.shutdown()
    assert len(results) == 90
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "networks": len(results)}))
    return seconds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("epochs", type=int, nargs="?", default=50, help="of each network (default: %(default)s)")
    main(parser.parse_args().epochs)
