"""Choose colours, markers and labels that are the same in all figures."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from kdtune.analysis.cells import format_setting, group_rows
from kdtune.analysis.optimum import LARGER_THAN_TEACHER

TEACHER_COLOR, BASELINE_COLOR = "#000000", "#999999"
LEGEND_COLOR = "#555555"  # of a mark that explains a shape, whatever its colour
# Okabe and Ito's palette, which colour-blind people can distinguish. Students and data sets use it in different orders
# and with different markers, since no figure has both.
STUDENT_COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
DATA_COLORS = ("#D55E00", "#009E73", "#0072B2", "#E69F00", "#CC79A7", "#56B4E9", "#F0E442")
# A square stands for "within the margin of the best", a triangle of a data set for an open interval.
STUDENT_MARKERS, DATA_MARKERS = "oD^vPX*h", "oDXPh*pd"
RC_PARAMS: Any = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 9,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "savefig.facecolor": "white",
    "svg.hashsalt": "kdtune",  # without it, equal figures would be different files
}
MAX_LABEL_LENGTH = 60

Key = tuple[Any, ...]  # the values of some columns, which name a panel or a curve


class CurveStyle(NamedTuple):
    """How a curve or a kind of network is drawn."""

    color: str
    marker: str


def assign_student_styles(keys: Sequence[Key]) -> dict[Key, CurveStyle]:
    """Return a colour and a marker for each student."""
    return dict(zip(keys, _cycle_styles(STUDENT_COLORS, STUDENT_MARKERS, len(keys)), strict=True))


def assign_data_styles(keys: Sequence[Key]) -> dict[Key, CurveStyle]:
    """Return a colour and a marker for each data set."""
    return dict(zip(keys, _cycle_styles(DATA_COLORS, DATA_MARKERS, len(keys)), strict=True))


def assign_network_styles(labels: Sequence[str]) -> dict[str, CurveStyle]:
    """Return a colour and a marker for each kind of network; its label begins with teacher, baseline or student.

    Teachers and baselines have shades and markers of their own.
    """
    styles: dict[str, CurveStyle] = {}
    for role, colors, markers in (
        ("teacher", (TEACHER_COLOR, "#777777", "#BBBBBB"), "*P8"),
        ("baseline", (BASELINE_COLOR, "#555555", "#CCCCCC"), "s<>"),
        ("student", STUDENT_COLORS, STUDENT_MARKERS),
    ):
        role_labels = [label for label in labels if label.startswith(role)]
        styles.update(zip(role_labels, _cycle_styles(colors, markers, len(role_labels)), strict=True))
    return styles


def _cycle_styles(colors: Sequence[str], markers: Sequence[str], count: int) -> list[CurveStyle]:
    pairs = zip(itertools.cycle(colors), itertools.cycle(markers), strict=False)
    return [CurveStyle(color, marker) for color, marker in itertools.islice(pairs, count)]


def label_setting(columns: Sequence[str], key: Key, fallback: str = "") -> str:
    """Write a setting as a label, as in ``class_sep 0.2, width 50``.

    Parameters
    ----------
    columns : The columns of the setting.
    key : The value of each column.
    fallback : The label of a setting without values.
    """
    text = format_setting(columns, key)
    if len(text) > MAX_LABEL_LENGTH:  # Long settings often begin with the same names and differ in the last values.
        half = MAX_LABEL_LENGTH // 2
        text = f"{text[:half]} ... {text[5 - half :]}"
    if not text:
        return fallback
    return text.replace("$", r"\$")  # Between two of them matplotlib would read mathematics.


def label_students(t_opt: pd.DataFrame, columns: Sequence[str]) -> dict[Key, str]:
    """Return a label for each student; one that is larger than all its teachers is called so.

    Parameters
    ----------
    t_opt : One row per cell, with ``columns`` and ``flags``.
    columns : The columns that name a student.
    """
    labels: dict[Key, str] = {}
    for key, cells in group_rows(t_opt, columns):
        setting = label_setting(columns, key)
        label = f"student, {setting}" if setting else "student"
        n_same_beginning = sum(existing.startswith(label) for existing in labels.values())
        if n_same_beginning and len(label) > MAX_LABEL_LENGTH:  # Shortened labels may be equal.
            label = f"{label} [{n_same_beginning + 1}]"
        if cells["flags"].map(lambda flags: LARGER_THAN_TEACHER in flags).all():
            label = f"{label} ({LARGER_THAN_TEACHER})"
        labels[key] = label
    return labels


def shorten_label(label: str) -> str:
    """Return a student's label for a narrow place."""
    return label.removeprefix("student, ").replace(f" ({LARGER_THAN_TEACHER})", f"\n({LARGER_THAN_TEACHER})")
