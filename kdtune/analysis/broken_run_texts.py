"""Name the runs that look broken, and the temperatures at which several do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kdtune.analysis.influential_runs import write_values
from kdtune.analysis.measured import Measured
from kdtune.analysis.student_answer import StudentAnswer
from kdtune.analysis.temperature_texts import format_temperature
from kdtune.text import join_names, pluralize

MAX_PLACES = 6  # of runs that look broken, in a sentence


def describe_other_broken_runs(group: Sequence[StudentAnswer], measured: Measured) -> Iterator[str]:
    """Say that several runs look broken, where the answer stays the same without them."""
    noun, percent = " errors" if measured.are_errors else "", " %" if measured.is_percent else ""
    for student in group:
        runs = student.broken_runs
        if runs and student.without_broken_runs is None:
            values = write_values(runs[0], noun, percent)
            places = list_places(student, has_others=len(group) > 1)
            yield f"{len(runs)} runs look broken: {places}; the first has {values}. Look at them, and train them again."


def list_places(student: StudentAnswer, has_others: bool = False) -> str:
    """Say where runs that look broken are, as in "at T = 1 (replicate 5) and T = 16 (replicates 0 and 1)"."""
    places: dict[tuple[str, float], list[str]] = {}
    for run in student.broken_runs:
        setting = run.setting if has_others or len(student.cells) > 1 else ""
        places.setdefault((setting, run.T), []).append(run.replicate)
    texts = []
    for (setting, T), names in places.items():
        replicates = f"replicate{'s' if len(names) > 1 else ''} {join_names(names, max_names=MAX_PLACES)}"
        texts.append(f"T = {T:g} ({f'{setting}, ' if setting else ''}{replicates})")
    return f"at {join_names(texts, max_names=MAX_PLACES)}"


def describe_diverged(group: Sequence[StudentAnswer]) -> Iterator[str]:
    """Say at which temperatures several runs look broken, so that they are not to be used."""
    counts: dict[float, list[int]] = {}
    for student in group:
        for T, (n_broken, n_runs) in student.diverged.items():
            total = counts.setdefault(T, [0, 0])
            total[0] += n_broken
            total[1] += n_runs
    texts = [f"{n} of {pluralize(total, 'run')} at T = {format_temperature(T)}" for T, (n, total) in counts.items()]
    if texts:
        which = "that T is" if len(texts) == 1 else "these T are"
        yield f"{join_names(texts)} diverged: {which} not recommended, whatever the others show."


def describe_left_out_values(group: Sequence[StudentAnswer], measured: Measured) -> Iterator[str]:
    """Say which networks look broken and are left out of costs and of the comparison with labels alone."""
    noun, percent = " errors" if measured.are_errors else "", " %" if measured.is_percent else ""
    baselines = [run for student in group for run in student.left_out_values.baselines]
    test = [run for student in group for run in student.left_out_values.test]
    for runs, subject_place, place in ((baselines, " with labels alone", ""), (test, "", " on the test split")):
        if not runs:
            continue
        first = runs[0].change_sign(measured.sign)
        names = [] if first.T != first.T else [f"T = {first.T:g}"]
        names += [first.setting] if len(group) > 1 or len(group[0].cells) > 1 else []
        names += [f"replicate {first.replicate}"] if first.replicate else []
        subject = f"One run{subject_place} looks" if len(runs) == 1 else f"{len(runs)} runs{subject_place} look"
        details = f" ({', '.join(names)})" if names and len(runs) == 1 else ""
        verb = "it has" if len(runs) == 1 else f"the first ({', '.join(names)}) has" if names else "one of them has"
        is_left_out = "It is" if len(runs) == 1 else "They are"
        yield (
            f"{subject} broken{place}{details}: {verb} {write_values(first, noun, percent)}. {is_left_out} left out of "
            "what is said here, but not of the tables."
        )
