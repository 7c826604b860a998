"""Whether the statistics of `kdtune analyze` hold what they promise, on tables with planted answers.

    python -m benchmarks.coverage [--tables 500]

For curves of errors over T of several shapes: how often an effect is found where there is none, and where T_opt doubles
over the widths.
"""

from __future__ import annotations

import argparse
import math

import numpy as np

from benchmarks import planted
from kdtune.analysis.answer import analyze_table

SHAPES = {
    "quadratic, T = 4 on the grid": (planted.quadratic(lambda _: 2.0, 0.05), 2.0),
    "quadratic, T = 6 off the grid": (planted.quadratic(lambda _: math.log2(6), 0.05), math.log2(6)),
    "sharp quadratic, T = 6": (planted.quadratic(lambda _: math.log2(6), 0.25), math.log2(6)),
    "asymmetric, T = 3": (planted.asymmetric(lambda _: math.log2(3)), math.log2(3)),
    "plateau from T = 5": (planted.plateau(lambda _: math.log2(5)), math.log2(5)),
    "falling throughout": (planted.falling, math.inf),
    "rising throughout": (planted.rising, -math.inf),
}
WIDTHS = (10, 20, 40)
TURNING = {10: (0.1, 0.5), 20: (0.3, 0.3), 40: (0.5, 0.1)}  # how steep to the left and to the right of the optimum
MOVING = {  # curves whose optimum at the middle width is T = 4; of the last two, T = 1.2 and 0.8
    "quadratic": lambda optimum: planted.quadratic(lambda cell: 2 + optimum(cell)),
    "asymmetric": lambda optimum: planted.asymmetric(lambda cell: 2 + optimum(cell)),
    "plateau": lambda optimum: planted.plateau(lambda cell: 2 + optimum(cell)),
    "asymmetric, turning with the width": lambda optimum: (
        lambda x, cell: planted.asymmetric(lambda _: 2 + optimum(cell), *TURNING[cell["width"]])(x, cell)
    ),
    "quadratic, at the grid's end": lambda optimum: planted.quadratic(lambda cell: 0.3 + optimum(cell)),
    "quadratic, mostly beyond the grid": lambda optimum: planted.quadratic(lambda cell: -0.3 + optimum(cell)),
}


def effects(
    doublings: float, tables: int, curve: str = "quadratic", replicates: int = 5, noise: float = 6.0
) -> dict[str, float]:
    """Over tables in which T_opt rises so many doublings over the widths: how often that is found, and what else is."""
    slope = doublings / math.log2(WIDTHS[-1] / WIDTHS[0])
    shape = MOVING[curve](lambda cell: slope * math.log2(cell["width"] / WIDTHS[1]))
    found, held, other = [], [], []
    for seed in range(tables):
        table = planted.table(shape, widths=WIDTHS, replicates=replicates, noise=noise, seed=seed)
        moves = analyze_table(table).effects.set_index("factor")
        clear = moves["p_holm"] < 0.05
        found.append(bool(clear["width"]))
        held.append(moves.loc["width", "low"] <= slope <= moves.loc["width", "high"])
        other.append(bool(clear.drop("width").any()))
    return {name: float(np.mean(each)) for name, each in
            {"width": found, "its interval holds": held, "another factor": other}.items()}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=500)
    arguments = parser.parse_args()
    columns = [
        "curve",
        "T_opt over the widths",
        "found to move with width",
        "interval holds",
        "with another factor, wrongly",
    ]
    print("| " + " | ".join(columns) + " |\n|" + " --- |" * len(columns))
    for curve in MOVING:
        for doublings, said in ((0.0, "the same"), (1.0, "doubles"), (2.0, "doubles twice")):
            shares = [f"{share:.1%}" for share in effects(doublings, arguments.tables, curve).values()]
            print("| " + " | ".join([curve, said, *shares]) + " |", flush=True)


if __name__ == "__main__":
    main()
