"""Two questions of docs/findings.md that no command of kdtune answers: they explore, and confirm nothing.

    python -m benchmarks.study_questions scale RESULTS   # does the best T follow the scale of the teacher's logits?
    python -m benchmarks.study_questions fit RESULTS     # do students that cannot fit want a low T?

RESULTS is the folder of a sweep.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

import kdtune
from benchmarks.promises.generators import print_table
from kdtune.analysis.answer import Answer
from kdtune.analysis.cell import Cell
from kdtune.analysis.effect_curves import make_noisy_curves
from kdtune.analysis.fixed_temperature import compute_relative_regret
from kdtune.analysis.usable_cells import number_independent_sets, select_usable_cells
from kdtune.columns import BASELINE, LOGIT_STD, MODEL, NUM_ERROR, STUDENT, TEACHER, TEACHER_ID, TEMP, TRAIN_ERROR, WIDTH
from kdtune.statistics.effects import estimate_effect
from kdtune.statistics.intervals import t_interval
from kdtune.statistics.standard_errors import Array

CANNOT_FIT = 4.0  # A baseline that makes so many times its teacher's training errors cannot fit.
LOW, USUAL = 1.0, (3.0, 4.0)  # the temperatures of the rule: for students that cannot fit, and for others
TRIED = (LOW, 2.5, *USUAL)  # for all students alike


def ask_scale(answer: Answer, table: pd.DataFrame) -> None:
    """Print the change of log2 T_opt per doubling of the teacher's logits: 1 if T_opt follows their scale, 0 if not.

    Where it is above 0.5, T in units of the scale varies less over teachers than T itself: the variance of
    log2(T_opt / scale) is that of log2 T_opt plus (1 - 2 effect) times that of log2 scale.
    """
    cells = select_usable_cells(answer.cells, answer.selection_measure)
    scales = np.log2([read_teachers(table, cell)[LOGIT_STD].mean() for cell in cells])
    columns = answer.cell_columns
    shared = [name for name in columns if not name.startswith("teacher")]
    blocks = [str([cell.settings[name] for name in shared]) for cell in cells]
    numbers = pd.factorize(np.array(blocks, object))[0]
    rows = [
        [cell.describe(), f"{2**scale:.2f}", *list_optimum(answer, cell)]
        for cell, scale in zip(cells, scales, strict=True)
    ]
    print_table(["setting", "standard deviation of the teacher's logits", "best T", "interval"], rows)
    curves = make_noisy_curves(cells, answer.selection_measure, columns)
    effect = estimate_effect(curves, scales.tolist(), blocks, numbers.tolist(), number_independent_sets(cells))
    if effect is None:
        print("\nNo two settings differ in the teacher alone.")
        return
    parts = [*effect.parts.values(), effect.over_parts, effect.in_sample]
    names = [*(blocks[list(numbers).index(part)] for part in effect.parts), "these data sets", "data sets like these"]
    print()
    print_table(
        ["data", "log2 T_opt per doubling of the scale", "95 % interval"],
        [[name, f"{p.estimate:+.2f}", f"{p.low:+.2f} to {p.high:+.2f}"] for name, p in zip(names, parts, strict=True)],
    )
    print(f"\np of no effect: {effect.p_value:.2g}; p of a difference between data sets: {effect.p_heterogeneity:.2g}")
    variance = np.mean([np.var(scales[numbers == part], ddof=1) for part in effect.parts])
    all_data = effect.over_parts
    middle, low, high = ((1 - 2 * value) * variance for value in (all_data.estimate, all_data.high, all_data.low))
    print(f"Variance of log2(T_opt / scale) minus that of log2 T_opt: {middle:+.2f} ({low:+.2f} to {high:+.2f}; 95 %)")


def ask_fit(answer: Answer, table: pd.DataFrame) -> None:
    """Print training errors beside the best T, their rank correlation, and what a rule for T without a sweep costs."""
    rows = pd.DataFrame(list(describe_fits(answer, table)))
    by_width = rows.groupby(WIDTH)
    print_table(
        ["width", "training error of teacher, %", "baseline", "student at T_opt", "T_opt of the data sets"],
        [
            [
                f"{width:g}",
                *(f"{100 * group[name].mean():.2g}" for name in ("teacher", "baseline", "student")),
                ", ".join(f"{T:g}" for T in sorted(group["T"])),
            ]
            for width, group in by_width
        ],
    )
    rows["ratio"] = rows["baseline"] / rows["teacher"]
    others = [correlate(rows[rows["data"] != data]) for data in rows["data"].unique()]
    print(
        f"\nRank correlation of baseline / teacher training errors with T_opt: {correlate(rows):+.2f} over all "
        f"settings ({min(others):+.2f} to {max(others):+.2f} with one data set left out)"
    )
    for width, group in by_width:
        if group["T"].nunique() > 1:
            print(f"  at width {width:g}: {correlate(group):+.2f}")
    cannot_fit = rows["baseline"] > CANNOT_FIT * rows["teacher"]
    print(
        f"\nbaseline / teacher training errors: {rows['ratio'][cannot_fit].min():.3g} to {rows['ratio'].max():.3g} "
        f"above the threshold of {CANNOT_FIT:g}, 0 to {rows['ratio'][~cannot_fit].max():.3g} below\n"
    )
    costs = {f"T = {T:g} for all": rows[f"cost of {T:g}"] for T in TRIED}
    for T in USUAL:
        costs[f"T = {LOW:g} if baseline > {CANNOT_FIT:g} x teacher, else {T:g}"] = rows[f"cost of {LOW:g}"].where(
            cannot_fit, rows[f"cost of {T:g}"]
        )
    print_table(
        ["choice without a sweep", "mean cost above the T chosen by a sweep", "95 % over data sets", "worst setting"],
        [
            [name, f"{cost.mean():+.1%}", write_interval(cost, rows["data"]), f"{cost.max():+.1%}"]
            for name, cost in costs.items()
        ],
    )


def describe_fits(answer: Answer, table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield for each setting its width, the training errors of its networks, T_opt and what usual T cost there."""
    for cell, optimum in zip(answer.cells, answer.t_opt["T_opt"], strict=True):
        students = select_students(table, cell)
        data = {name: value for name, value in cell.settings.items() if name != WIDTH}
        of_data = table[np.logical_and.reduce([table[name] == value for name, value in data.items()])]
        baselines = of_data[(of_data[MODEL] == BASELINE) & (of_data[WIDTH] == cell.settings[WIDTH])]
        best = int(np.searchsorted(cell.temperatures, optimum))
        regret = compute_relative_regret(cell, best, answer.selection_measure, NUM_ERROR)
        yield {
            "data": str(data),
            WIDTH: cell.settings[WIDTH],
            "teacher": read_teachers(table, cell)[TRAIN_ERROR].mean(),
            "baseline": baselines[TRAIN_ERROR].mean(),
            "student": students[students[TEMP] == optimum][TRAIN_ERROR].mean(),
            "T": optimum,
            **{f"cost of {T:g}": regret[np.searchsorted(cell.temperatures, T)] for T in TRIED},
        }


def select_students(table: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """Return the rows of a cell's distilled students."""
    students = table[table[MODEL] == STUDENT]
    return students[np.logical_and.reduce([students[name] == value for name, value in cell.settings.items()])]


def read_teachers(table: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """Return the rows of a cell's teachers."""
    ids = select_students(table, cell)[TEACHER_ID].unique()
    return table[(table[MODEL] == TEACHER) & table["id"].isin(ids)]


def list_optimum(answer: Answer, cell: Cell) -> list[str]:
    """Return the best T of a cell and its interval, as text."""
    settings = [dict(row) for row in answer.t_opt[answer.cell_columns].to_dict("records")]
    row = answer.t_opt.iloc[settings.index({name: cell.settings[name] for name in answer.cell_columns})]
    return [f"{row['T_opt']:g}", f"{row['T_opt_low']:.3g} to {row['T_opt_high']:.3g}"]


def correlate(rows: pd.DataFrame) -> float:
    """Return the rank correlation of the ratio of training errors with the best T."""
    return float(stats.spearmanr(rows["ratio"], rows["T"])[0])


def write_interval(costs: pd.Series, data: pd.Series) -> str:
    """Return the t-interval of a mean cost, with the data sets as the sample."""
    means: Array = costs.groupby(data.to_numpy()).mean().to_numpy()
    low, high = t_interval(means)
    return f"{low:+.1%} to {high:+.1%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question", choices=["scale", "fit"])
    parser.add_argument("results", type=Path)
    arguments = parser.parse_args()
    answer, table = kdtune.analyze(arguments.results), pd.read_parquet(arguments.results / "table.parquet")
    (ask_scale if arguments.question == "scale" else ask_fit)(answer, table)


if __name__ == "__main__":
    main()
