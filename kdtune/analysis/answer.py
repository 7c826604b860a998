"""The answer that a table gives: the best temperature of every cell, and whether it moves. No files, no drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from kdtune.analysis import comparisons as against
from kdtune.analysis import test_split as held_out
from kdtune.analysis.cell_arrays import Cell, split_into_cells, words
from kdtune.analysis.cells import find_cell_columns
from kdtune.analysis.fixed_temperature import cost_of_one_temperature
from kdtune.analysis.optimum import FLAT, describe_optimum, find_lowest_mean
from kdtune.analysis.temperature_effects import estimate_effects
from kdtune.columns import (
    BASELINE,
    DATA_SEED,
    DONE,
    FAILED,
    MODEL,
    NUM_ERROR,
    REPLICATE,
    SKIPPED,
    STATUS,
    STUDENT,
    STUDENT_SEED,
    TEACHER,
    TEACHER_SEED,
    VAL_NUM_ERROR,
)
from kdtune.errors import RequestError
from kdtune.statistics import multiple_comparisons as best


@dataclass(frozen=True)
class Margins:
    """What counts as no difference that matters, stated beforehand."""

    error: float = 0.05  # excess error, as a share of the best temperature's
    effect: float = 0.1  # change of log2 T_opt per doubling of a factor


@dataclass(frozen=True)
class Answer:
    """Frames of figures, all of them from one table."""

    t_opt: pd.DataFrame  # a row a cell: the best temperature, on the split that decides
    test: pd.DataFrame  # a row a cell: what it is worth on the test split
    curves: pd.DataFrame  # a row a cell and temperature
    fixed: pd.DataFrame  # a row a temperature: what it costs to use it for all cells
    cells: list[Cell]
    columns: list[str]  # that name a cell
    decide: str  # the measure that T_opt is the minimum of
    margins: Margins
    redrawn: list[str]  # what replicates differ in: the randomness that intervals cover
    without: list[str]  # cells without complete figures, in words

    def first(self, count: int) -> Answer:
        """Of the first cells only: for tables of which no more is shown."""
        return replace(self, t_opt=self.t_opt.head(count), test=self.test.head(count), cells=self.cells[:count])

    @cached_property
    def effects(self) -> pd.DataFrame:
        """A row a factor. Reckoned when it is first asked for: figures and closing tables do without."""
        flat = self.t_opt["flags"].map(lambda flags: FLAT in flags)
        unbounded = np.isinf(self.t_opt["T_opt_high"]) & (self.t_opt["T_opt_low"] == 0)
        informative = int((~flat & ~unbounded).sum())
        with threadpool_limits(1):
            return estimate_effects(self.cells, self.columns, self.decide, informative, self.margins.effect)

    @property
    def split(self) -> str:
        """That T was chosen on."""
        return "validation" if self.decide.startswith("val_") else "test"


def analyze_table(table: pd.DataFrame, columns: Sequence[str] | None = None, margins: Margins = Margins()) -> Answer:
    """Analyze a table with the columns of ``kdtune.table``.

    Parameters
    ----------
    columns : that name a cell; those that vary over the distilled students unless given.

    Raises
    ------
    RequestError
        If the table has no distilled student with figures, or no measure of errors.
    """
    decide = next((name for name in (VAL_NUM_ERROR, NUM_ERROR) if _known(table, name)), None)
    if decide is None and not {VAL_NUM_ERROR, NUM_ERROR} & {*table.columns}:
        raise RequestError(
            f"the table has no errors: it needs the column {VAL_NUM_ERROR}, or {NUM_ERROR} (--map num_error=NAME); "
            f"it has {', '.join(map(str, table.columns[:12]))}"
        )
    if decide is None or not has_students(table):
        raise RequestError(f"the table has no distilled student with figures{_instead(table)}")
    columns = find_cell_columns(table) if columns is None else list(columns)
    every = list(split_into_cells(table, columns, decide))
    found = [cell for cell in every if cell.replicates]
    if not found:
        raise RequestError(f"no distilled student has a number in {decide}")
    with threadpool_limits(1):  # the products are small: threads would only wait for each other
        optima, tests, each = zip(*(_of_cell(cell, decide, margins) for cell in found), strict=True)
    each_T = against.join_cell_curves(found, each)
    return Answer(
        t_opt=pd.DataFrame(optima), test=pd.DataFrame(tests), curves=each_T,
        fixed=cost_of_one_temperature(each_T, len(found)),
        cells=found, columns=list(columns), decide=decide, margins=margins, redrawn=find_redrawn(table),
        without=[words(cell.names) for cell in every if not cell.replicates],
    )  # fmt: skip


def _instead(table: pd.DataFrame) -> str:
    """What the table says of models and ends in words that are not ours."""
    for name, ours in (
        (MODEL, {TEACHER, BASELINE, STUDENT}),
        (STATUS, {DONE, FAILED, SKIPPED}),
    ):
        needed = STUDENT if name == MODEL else DONE
        theirs = sorted({str(value) for value in table[name].dropna()})
        if needed not in theirs:
            said = ", ".join(theirs[:5]) or "nothing"
            return f"; its column {name} says {said}, where {', '.join(sorted(ours))} are read"
    return ""


def _of_cell(cell: Cell, decide: str, margins: Margins) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A cell's row of ``t_opt``, its row of ``test``, its columns of ``curves``."""
    place, compared = find_lowest_mean(cell, decide), best.compare_with_best(cell.students[decide])
    found = describe_optimum(cell, place, decide, compared, margins.error)
    test = {"T": cell.temperatures[place], **held_out.evaluate_choice(cell, place, decide)}
    curve = against.compare_temperatures(cell, place, decide, compared, found["good_enough"])
    return {**cell.names, **found}, {**cell.names, **test}, curve


def find_redrawn(table: pd.DataFrame) -> list[str]:
    """What the replicates of a sweep's students redraw."""
    seeds = {"data set": DATA_SEED, "teacher": TEACHER_SEED, "student": STUDENT_SEED}
    students = table.loc[table[MODEL] == STUDENT, [REPLICATE, *({*seeds.values()} & {*table.columns})]]
    first, last = (students[students[REPLICATE] == which(students[REPLICATE])] for which in (min, max))
    return [
        what
        for what, seed in seeds.items()
        if seed in students.columns
        and not set(first[seed].dropna()) & set(last[seed].dropna())
        and first[seed].notna().any()
    ]


def has_students(table: pd.DataFrame) -> bool:
    """Whether any distilled student has figures."""
    return bool(((table[MODEL] == STUDENT) & (table[STATUS] == DONE)).any())


def _known(table: pd.DataFrame, name: str) -> bool:
    return name in table.columns and bool(table.loc[table[MODEL] == STUDENT, name].notna().any())
