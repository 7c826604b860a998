"""Print how many replicates it takes to find differences."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import pandas as pd

from kdtune.analysis.answer import Answer
from kdtune.analysis.power import count_noise_dof, select_noisy_cells
from kdtune.cli.folding import print_folded
from kdtune.cli.printing import print_opening, print_table
from kdtune.columns import NUM_ERROR
from kdtune.text import NOTHING, pluralize

_MIN_SETTINGS = 10  # With fewer of them, "in 9 of 10 settings" says nothing.
_MIN_DOF = 10  # With fewer, the counts may be a third or three times of the true ones: they go with the variance.


class _Words(NamedTuple):
    """What the texts call a replicate, and where the noise comes from."""

    word: str
    subject: str
    source: str
    remark: str
    method: str


_PAIRED = _Words(
    "replicate", "Replicates", "the paired differences of", "", "The noise is that of the differences between each "
    "best T and its neighbours; intervals are 95 % confidence intervals of the mean paired difference.",
)  # fmt: skip
_UNPAIRED = _Words(
    "run", "Runs of each T", "the noise in", " of each T, which are not paired", "Each best T is "
    "compared with its neighbours; intervals are 95 % confidence intervals of the difference of the means.",
)  # fmt: skip


def print_power(frame: pd.DataFrame, answer: Answer, is_percent: bool = False) -> None:
    """Print how many replicates it takes to find differences of several sizes.

    Parameters
    ----------
    frame : What ``count_replicates`` returns.
    answer : The answer that it comes from.
    is_percent : Whether errors are in percent of the examples.
    """
    cells = select_noisy_cells(answer.cells, answer.selection_measure)
    words = _PAIRED if answer.is_paired else _UNPAIRED
    max_count = int(answer.curves["replicates"].max())
    headline = _write_headline(frame, answer, words, len(cells), is_percent)
    doubt = f" The noise is itself an estimate from these {words.word}s."
    if count_noise_dof(cells, answer.selection_measure) < _MIN_DOF:
        headline += f" So few {words.word}s tell the noise roughly: numbers may be several times too low or too high."
        doubt = ""
    print_opening([headline], [*answer.reading_notes, *answer.matching_notes])
    print_folded(
        f"\n{words.subject} that it takes to find a difference between two temperatures, from {words.source} "
        f"{pluralize(len(cells), 'setting')} with up to {pluralize(max_count, words.word)}{words.remark}:"
    )
    table, n_keys = _format_counts(frame, answer, len(cells), is_percent)
    print_table(table, n_keys)
    for sentence in _explain_counts(answer, words.word, len(cells), is_percent):
        print_folded(sentence, hanging_indent="  ")
    print_folded(words.method + doubt)


def _write_headline(frame: pd.DataFrame, answer: Answer, words: _Words, n_cells: int, is_percent: bool) -> str:
    """Write the smallest difference that as many replicates as the table has find, and what the next smaller takes."""
    counts = answer.curves["replicates"]
    runs = pluralize(int(counts.max()), words.word) + (" of each T" if words is _UNPAIRED else "")
    start = f"With {runs}, {'as here' if counts.nunique() == 1 else 'the most here'},"
    place = "" if n_cells == 1 else f" in the median of {n_cells:,} settings"
    found, lacking = "", ""  # the smallest difference that is found, the largest that is not
    ordered = frame.sort_values("errors", ascending=False)
    for share, errors, count in zip(ordered["difference"], ordered["errors"], ordered["to_tell"], strict=True):
        name = _name_difference(share, errors, answer, is_percent)
        if pd.notna(count) and count <= counts.max():
            found = name
        else:
            lacking = lacking or f"to find {name} takes {_format_count(count)}"
    if not found:
        return f"{start} none of the differences below is found with 80 % probability{place}: {lacking}."
    sentence = f"{start} a difference of {found} is found with at least 80 % probability{place}"
    return f"{sentence}; {lacking}." if lacking else f"{sentence}."


def _name_difference(share: float, errors: float, answer: Answer, is_percent: bool) -> str:
    """Name a difference, as in "5% of the errors (7.5 errors)"."""
    if answer.measure is not None:
        return f"{errors:.3g} in {answer.measure.name}"
    if answer.test_measure != NUM_ERROR:
        count = f"{errors:.3g} in {answer.measure_name}"
    else:
        unit = "percentage points" if is_percent else "errors"
        count = f"{errors:.3g} {unit} on the {answer.selection_split} split"
    return f"{_format_share(share)} of the {answer.measure_name} ({count})" if math.isfinite(share) else count


def _format_counts(frame: pd.DataFrame, answer: Answer, n_cells: int, is_percent: bool) -> tuple[pd.DataFrame, int]:
    """Return the counts as text, and how many of the columns say which difference a row is about."""
    errors = frame["errors"].map("{:.3g}".format)
    table = pd.DataFrame({"difference": errors})
    if answer.measure is None:
        table = pd.DataFrame(
            {"difference": frame["difference"].map(_format_share), _name_errors(answer, is_percent): errors}
        )
    n_keys = len(table.columns)
    titles = {"to_tell": "found with 80 % probability", "to_bound": "for an interval as wide"}
    if n_cells >= _MIN_SETTINGS:
        titles = {
            "to_tell": titles["to_tell"], "to_tell_most": "... in 9 of 10 settings",
            "to_bound": titles["to_bound"], "to_bound_most": "... as wide in 9 of 10 settings",
        }  # fmt: skip
    for name, title in titles.items():
        table[title] = [_format_count(count) for count in frame[name]]
    return table, n_keys


def _explain_counts(answer: Answer, word: str, n_cells: int, is_percent: bool) -> list[str]:
    """Explain the columns of the counts."""
    sentences = [f"difference: in {answer.measure.name}, in its own units."] if answer.measure else []
    if answer.measure is None:
        setting = "the setting" if n_cells == 1 else "a setting"
        fewest = "fewest" if answer.test_measure == NUM_ERROR else "lowest"
        sentences.append(f"difference: as a share of the {fewest} {answer.measure_name} of {setting}.")
        of_median = "" if n_cells == 1 else ", in the median setting"
        unit = "percent of the examples" if is_percent else answer.measure_name
        sentences.append(f"{_name_errors(answer, is_percent)}: the same difference in {unit}{of_median}.")
    sentences += [
        f"found with 80 % probability: so many {word}s that a T next to the best, which is truly so much worse, is not "
        "statistically tied with it in 8 of 10 cases: the rule of `kdtune analyze`, which compares all T at once.",
        f"for an interval as wide: so many {word}s that the 95 % confidence interval of a difference is, from end to "
        "end, about as wide as the difference in the first column.",
    ]
    if n_cells >= _MIN_SETTINGS:
        sentences.append(
            f"in 9 of 10 settings: enough {word}s for these; the columns before are for the median setting."
        )
    elif n_cells > 1:
        sentences.append(f"All numbers are for the median of the {n_cells} settings: those with more noise take more.")
    return sentences


def _name_errors(answer: Answer, is_percent: bool) -> str:
    return "errors, %" if is_percent else answer.measure_name


def _format_share(share: float) -> str:
    """Write a difference as a share of the fewest errors; where these are none, it is no share of them."""
    return f"{100 * share:.3g}%" if math.isfinite(share) else NOTHING


def _format_count(count: Any) -> str:
    """Return a number of replicates as text; a missing one is beyond what is searched."""
    return "more than 10,000" if pd.isna(count) else f"{int(count)}"
