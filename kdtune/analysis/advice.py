"""Say which temperature to use, in sentences that a reader can act on, for each group of students that share one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kdtune.analysis.broken_run_texts import (
    describe_diverged,
    describe_left_out_values,
    describe_other_broken_runs,
    list_places,
)
from kdtune.analysis.evidence import (
    describe_baseline,
    describe_failures,
    describe_power,
    describe_test,
    describe_usual,
)
from kdtune.analysis.influential_runs import write_values
from kdtune.analysis.measured import Measured
from kdtune.analysis.student_answer import StudentAnswer
from kdtune.analysis.student_names import join_grids, list_choice, name_students, name_temperatures
from kdtune.analysis.temperature_texts import format_temperature
from kdtune.text import join_names, pluralize

USE, NO_CLEAR_WINNER, NO_NOISE, ONE_TEMPERATURE = "use", "no clear winner", "noise unknown", "one temperature"
BROKEN_RUN = "a run is far off"


@dataclass(frozen=True)
class Advice:
    """A recommendation for the students that share it.

    Attributes
    ----------
    students : the settings that name each student.
    T : the temperature with the lowest mean; of the first student where none is clearly better.
    verdict : one of the constants of this module.
    text : the recommendation with its evidence, in sentences.
    """

    students: list[dict[str, Any]]
    T: float
    verdict: str
    text: str


def list_advice(students: Sequence[StudentAnswer], measured: Measured) -> list[Advice]:
    """Return the recommendations, each for the students that share it, in the order of their first students.

    Students of a single temperature are left out where others have several.
    """
    several = [student for student in students if len(student.temperatures) > 1]
    groups: dict[tuple[Any, ...], list[StudentAnswer]] = {}
    for number, student in enumerate(several or students):
        verdict = find_verdict(student)
        # Where no temperature is clearly better, the one with the lowest mean separates nothing.
        T = 0.0 if verdict in (NO_CLEAR_WINNER, ONE_TEMPERATURE) else student.best_temperature
        # Students that differ in one setting, as the width, are named in a few words; others each in a sentence.
        is_joined = verdict != BROKEN_RUN and (len(student.settings) == 1 or verdict == ONE_TEMPERATURE)
        groups.setdefault((verdict, T, 0 if is_joined else number), []).append(student)
    return [
        Advice(
            students=[student.settings for student in group],
            T=group[0].best_temperature,
            verdict=verdict,
            text=" ".join(_write_sentences(verdict, group, measured)),
        )
        for (verdict, *_), group in groups.items()
    ]


def find_verdict(student: StudentAnswer) -> str:
    """Return which kind of recommendation the answer for a student allows."""
    if len(student.temperatures) == 1:
        return ONE_TEMPERATURE
    if not student.has_noise:
        return NO_NOISE
    if student.without_broken_runs is not None:
        return BROKEN_RUN
    return USE if student.has_worse else NO_CLEAR_WINNER


def _write_sentences(verdict: str, group: Sequence[StudentAnswer], measured: Measured) -> Iterator[str]:
    """Yield the recommendation, then the evidence for it, then what limits it."""
    first = group[0]
    T = format_temperature(first.best_temperature, first.temperatures.tolist())
    names = name_students([student.settings for student in group])
    of_students = f" for {names}" if names else ""
    if verdict == ONE_TEMPERATURE:
        tried = join_names([format_temperature(T) for T in sorted({student.best_temperature for student in group})])
        yield f"Only one temperature was tried{of_students} (T = {tried}): no best one can be determined. Try several."
    elif verdict == NO_NOISE:
        yield f"T = {T} had the best result{of_students}, {_describe_single_runs(group)}"
    elif verdict == BROKEN_RUN:
        yield from _describe_broken_runs(first, of_students, measured)
        yield from describe_diverged(group)
    elif verdict == NO_CLEAR_WINNER:
        yield from _describe_choice(group, of_students, measured)
        yield from describe_power(group, measured)
        yield from describe_other_broken_runs(group, measured)
        yield from describe_diverged(group)
    else:
        yield f"Use T = {T}{of_students}{_name_basis(group)}."
        yield from describe_failures(group)
        yield from _describe_ties(group)
        yield from describe_other_broken_runs(group, measured)
        yield from describe_diverged(group)
        yield from _describe_margin(group, measured)
    if verdict not in (NO_CLEAR_WINNER, BROKEN_RUN):
        yield from describe_usual(group, measured)
    answers = [first.without_broken_runs] if first.without_broken_runs else group
    yield from describe_baseline(answers, measured)
    yield from describe_left_out_values(group, measured)
    yield from describe_test(answers, measured)
    if verdict != USE:
        yield from describe_failures(group)
    else:
        yield from _describe_end(group)
        yield from _describe_exceptions(group)


def _describe_single_runs(group: Sequence[StudentAnswer]) -> str:
    """Say that the runs do not show what chance does, and what to train."""
    doubt = "whether that is more than chance cannot be told"
    if not any(student.has_holes for student in group):
        return f"in one run of each temperature: {doubt}. Train replicates."
    n_least = min(student.run_counts[student.best_index] for student in group)
    return (
        f"in {pluralize(n_least, 'run')}, but too few replicates have several temperatures: {doubt}. Train the missing "
        "runs."
    )


def _name_basis(group: Sequence[StudentAnswer]) -> str:
    """Say over how many data sets the recommendation is, if there are several."""
    n_sets = max(len(student.cells) for student in group)
    return f", over {n_sets} data sets together" if n_sets > 1 else ""


def _describe_ties(group: Sequence[StudentAnswer]) -> Iterator[str]:
    """Say which other temperatures are statistically tied with the recommended one."""
    others = [[T for T in student.tied if student.best_temperature != T] for student in group]
    if not any(others):
        subject = "Every" if len(group) == 1 else "For each of them every"
        yield f"{subject} other temperature is significantly worse."
        return
    texts = [name_temperatures(T, student.temperatures.tolist()) for T, student in zip(others, group, strict=True)]
    if len(set(texts)) == 1:
        verb = "is" if len(others[0]) == 1 else "are"
        yield f"{texts[0]} {verb} statistically tied with it."
        return
    parts = [f"{text} for {name_students([s.settings])}" for text, s in zip(texts, group, strict=True) if text]
    yield f"Statistically tied with it: {'; '.join(parts)}."


def _describe_broken_runs(student: StudentAnswer, of_students: str, measured: Measured) -> Iterator[str]:
    """Say that single runs hide the best temperature, and what to use if they are left out."""
    runs, rest = student.broken_runs, student.without_broken_runs
    assert rest is not None
    is_one = len(runs) == 1
    noun, percent = " errors" if measured.are_errors else "", " %" if measured.is_percent else ""
    subject = "One run looks broken and hides" if is_one else f"{len(runs)} runs look broken and hide"
    values = write_values(runs[0], noun, percent)
    ending = f" it has {values}" if is_one else f"; the first has {values}"
    yield f"{subject} the best temperature{of_students}: {list_places(student)}{ending}."
    yield f"Look at {'it, and train it' if is_one else 'them, and train them'} again."
    T = format_temperature(rest.best_temperature, rest.temperatures.tolist())
    yield f"If {'that run is' if is_one else 'they are'} left out, use T = {T}{_name_basis([rest])}."
    yield from _describe_ties([rest])
    yield from _describe_margin([rest], measured)


def _describe_choice(group: Sequence[StudentAnswer], of_students: str, measured: Measured) -> Iterator[str]:
    """Say which temperatures to choose from where none is clearly better."""
    grid, tied, cheap = join_grids(group), list_choice(group), _list_good_enough(group)
    if set(tied) <= set(cheap) and len(cheap) > 1:
        yield f"Any of {name_temperatures(cheap, grid)} will do{of_students}: they {_write_margin(group, measured)}."
        return
    if len(tied) == 1:
        yield f"No temperature is clearly better{of_students}; {name_temperatures(tied, grid)} had the best result."
    else:
        usual = group[0].usual_temperature
        costs = [] if usual in tied else list(describe_usual(group, measured, says_doubts=False))
        if costs:  # So "no temperature" would say too much: all of the named ones are better than that one.
            yield f"Choose any of {name_temperatures(tied, grid)}{of_students}: none of them is clearly the best."
            yield from costs
        else:
            yield f"No temperature is clearly better{of_students}: choose any of {name_temperatures(tied, grid)}."
    yield from _describe_margin(group, measured)


def _describe_margin(group: Sequence[StudentAnswer], measured: Measured) -> Iterator[str]:
    """Say which temperatures cost at most the margin, if that is shown of one besides the recommended T."""
    cheap = _list_good_enough(group)
    if len(cheap) > 1:
        yield f"{name_temperatures(cheap, join_grids(group))} {_write_margin(group, measured)}."


def _list_good_enough(group: Sequence[StudentAnswer]) -> list[float]:
    """List the temperatures that are shown to cost at most the margin, for all students of a group."""
    return [T for T in group[0].good_enough if all(T in student.good_enough for student in group)]


def _write_margin(group: Sequence[StudentAnswer], measured: Measured) -> str:
    """Say what several temperatures cost at most, as in "cost at most 5 % more errors than the best (95 % sure)"."""
    average = " on average" if len(group[0].cells) > 1 else ""
    return f"cost at most {measured.write(group[0].margin or 0.0)} {measured.more}{average} than the best (95 % sure)"


def _describe_end(group: Sequence[StudentAnswer]) -> Iterator[str]:
    """Say that the best T may lie beyond the end of the grid, where that is not level."""
    for side, index, word, factor in (("lowest", 0, "lower", 0.5), ("highest", -1, "higher", 2.0)):
        ends = [student for student in group if student.best_temperature == student.temperatures[index]]
        near = [s for s in ends if set(s.tied) <= set(s.temperatures[[index, 1 if index == 0 else -2]])]
        if near and len(ends) == len(group):
            example = format_temperature(group[0].best_temperature * factor)
            T = format_temperature(group[0].best_temperature, group[0].temperatures.tolist())
            yield f"T = {T} is the {side} that you tried, and the best: try {word} ones, such as T = {example}."


def _describe_exceptions(group: Sequence[StudentAnswer]) -> Iterator[str]:
    """Say in how many data sets another temperature is significantly better than the recommended one."""
    n_cells = sum(len(student.cells) for student in group)
    n_exceptions = sum(len(student.better_elsewhere) for student in group)
    if n_exceptions and n_cells > 1:
        yield (
            f"In {n_exceptions} of {pluralize(n_cells, 'setting')} another T is significantly better: see the table of "
            "the settings."
        )
