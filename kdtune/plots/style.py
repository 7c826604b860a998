"""Choose colours, markers and labels that are the same in all figures."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
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
ELLIPSIS = "..."
MAX_LABEL_LENGTH = 60
MAX_CLASS_NAME_LENGTH = 20

Key = tuple[Any, ...]  # the values of some columns, which name a panel or a curve


class CurveStyle(NamedTuple):
    """How a curve or a kind of network is drawn."""

    color: str
    marker: str


def assign_student_styles(labels: Sequence[str]) -> dict[str, CurveStyle]:
    """Return a colour and a marker for each student."""
    return dict(zip(labels, _cycle_styles(STUDENT_COLORS, STUDENT_MARKERS, len(labels)), strict=True))


def assign_data_styles(labels: Sequence[str]) -> dict[str, CurveStyle]:
    """Return a colour and a marker for each data set."""
    return dict(zip(labels, _cycle_styles(DATA_COLORS, DATA_MARKERS, len(labels)), strict=True))


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
    # Long settings often begin with the same names and differ in the last values.
    return escape_text(shorten_text(format_setting(columns, key), MAX_LABEL_LENGTH)) or fallback


def escape_text(text: str) -> str:
    """Return a user's text for a figure: between two dollar signs matplotlib would read mathematics."""
    return text.replace("$", r"\$")


def shorten_text(text: str, max_length: int) -> str:
    """Cut a text in its middle, as in ``Golden-cr...sparrow``, if it is longer than ``max_length``."""
    if len(text) <= max_length:
        return text
    n_kept = max_length - len(ELLIPSIS)
    return f"{text[: n_kept - n_kept // 2]}{ELLIPSIS}{text[-(n_kept // 2) :]}"


def label_settings(columns: Sequence[str], keys: Sequence[Key], fallback: str = "") -> dict[Key, str]:
    """Return a label for each setting; where shortened labels would be equal, they are numbered."""
    return dict(zip(keys, _make_unique([label_setting(columns, key, fallback) for key in keys]), strict=True))


def label_classes(names: Sequence[str]) -> list[str]:
    """Return a label for each class: its name, which is cut in the middle where it is long."""
    return _make_unique([escape_text(shorten_text(name, MAX_CLASS_NAME_LENGTH)) for name in names])


def _make_unique(labels: Iterable[str]) -> list[str]:
    """Return labels with a number behind each that is equal to an earlier one."""
    unique_labels: dict[str, None] = {}
    for label in labels:
        choices = itertools.chain([label], (f"{label} [{number}]" for number in itertools.count(2)))
        unique_labels[next(choice for choice in choices if choice not in unique_labels)] = None
    return list(unique_labels)


def label_students(t_opt: pd.DataFrame, columns: Sequence[str]) -> dict[Key, str]:
    """Return a label for each student; one that is larger than all its teachers is called so.

    Parameters
    ----------
    t_opt : One row per cell, with ``columns`` and ``flags``.
    columns : The columns that name a student.
    """
    cells_by_key = dict(group_rows(t_opt, columns))
    labels: dict[Key, str] = {}
    for key, setting in label_settings(columns, list(cells_by_key)).items():
        label = f"student, {setting}" if setting else "student"
        if cells_by_key[key]["flags"].map(lambda flags: LARGER_THAN_TEACHER in flags).all():
            label = f"{label} ({LARGER_THAN_TEACHER})"
        labels[key] = label
    return labels


def wrap_label(label: str, max_letters: int) -> str:
    """Break the lines of a label after commas, so that they have at most so many letters; cut longer parts."""
    if "\n" in label:
        return "\n".join(wrap_label(line, max_letters) for line in label.split("\n"))
    lines: list[str] = []
    for word in (shorten_text(part, max_letters) for part in label.split(", ")):
        if lines and len(f"{lines[-1]}, {word}") <= max_letters:
            lines[-1] = f"{lines[-1]}, {word}"
        else:
            lines.append(word)
    return ",\n".join(lines)


def shorten_label(label: str) -> str:
    """Return a student's label for a narrow place."""
    return label.removeprefix("student, ").replace(f" ({LARGER_THAN_TEACHER})", f"\n({LARGER_THAN_TEACHER})")
