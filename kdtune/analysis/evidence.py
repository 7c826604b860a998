"""Write the evidence beside a recommendation: what others cost, whether distillation helps, how many runs failed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from kdtune.analysis.measured import Measured
from kdtune.analysis.overall import TOLD_SHARE
from kdtune.analysis.student_answer import StudentAnswer
from kdtune.analysis.student_names import name_students
from kdtune.analysis.temperature_texts import format_temperature
from kdtune.statistics.pooled_curves import MeanDifference
from kdtune.text import join_names, pluralize

MAX_SPAN = 1.0  # of an interval, as a share of the errors, that still tells something
MAX_FAILURES = 3  # temperatures whose runs without result a sentence counts


def describe_power(group: Sequence[StudentAnswer], measured: Measured) -> Iterator[str]:
    """Say how many replicates would tell."""
    counts = [student.replicates_to_tell for student in group]
    if any(count is None for count in counts):
        return
    most = max(count for count in counts if count is not None)
    n_replicates = min(student.replicates for student in group)
    if most > n_replicates:
        difference = f"{measured.write(TOLD_SHARE)} {measured.more}"
        fewest = min(student.fewest_runs for student in group)
        existing = f"{n_replicates}" if fewest >= n_replicates else f"{fewest} to {n_replicates}"
        yield f"To see that a T makes {difference} takes {most:,} replicates (80 % power); you have {existing}."


def describe_failures(group: Sequence[StudentAnswer]) -> Iterator[str]:
    """Say of which temperatures runs have no result, and how many."""
    counts: dict[float, list[int]] = {}
    for student in group:
        for T, (failed, planned) in student.failures.items():
            total = counts.setdefault(T, [0, 0])
            total[0] += failed
            total[1] += planned
    counts = {T: count for T, count in counts.items() if count[0]}
    worst = sorted(counts, key=lambda T: -counts[T][0] / counts[T][1])
    texts = [
        f"T = {format_temperature(T)} has no result in {counts[T][0]} of {pluralize(counts[T][1], 'run')}"
        for T in worst[:MAX_FAILURES]
    ]
    if texts:
        more = f", and {len(worst) - MAX_FAILURES} other T at most as often" if len(worst) > MAX_FAILURES else ""
        yield f"{join_names(texts)}{more}."


def describe_usual(group: Sequence[StudentAnswer], measured: Measured, says_doubts: bool = True) -> Iterator[str]:
    """Say what a temperature costs that many take without a sweep.

    ``says_doubts`` is whether something is said, too, where it is not shown to cost anything.
    """
    usual = {student.usual_temperature for student in group}
    differences = [student.minus_usual for student in group if student.minus_usual is not None]
    if len(usual) > 1 or not differences or any(not math.isfinite(d.mean) for d in differences):
        return
    subject = f"T = {format_temperature(next(iter(usual)) or 1.0)}"
    intervals = [difference.main_interval for difference in differences]
    if says_doubts and len(group) == 1 and group[0].has_holes and math.isinf(intervals[0][0]):
        best = format_temperature(group[0].best_temperature)
        yield f"What {subject} costs cannot be told: there are too few runs of it and of T = {best} in one replicate."
    elif all(low > 0 for low, _ in intervals):
        yield f"{subject} costs {_write_range(differences, measured.more, measured)}{_name_spread(group)}."
    elif says_doubts and len(differences) == 1 and math.isfinite(intervals[0][0]):
        low, high = intervals[0]
        if usual - set(group[0].tied):
            yield f"{subject} is significantly worse; by how much, these runs cannot tell."
        elif measured.is_relative and high - low > MAX_SPAN:
            yield f"{subject} may be as good, or much worse or better: these runs cannot tell."
        else:
            yield f"{subject} may be as good: it makes {measured.write_interval(low, high)} (95 % interval)."


def describe_baseline(group: Sequence[StudentAnswer], measured: Measured) -> Iterator[str]:
    """Say whether distillation helps: what the student's errors are beside those of the baseline."""
    differences = [student.minus_baseline for student in group]
    known = [d for d in differences if d is not None and math.isfinite(d.main_interval[0])]
    if len(known) < len(group):
        if len(group) == 1 and group[0].has_holes and differences[0] is not None:
            best = format_temperature(group[0].best_temperature)
            runs = f"too few runs of T = {best} and of labels alone in one replicate"
            yield f"Whether distillation helps cannot be told: there are {runs}."
        return
    helped = [each.main_interval[1] < 0 for each in known]
    harmed = [each.main_interval[0] > 0 for each in known]
    if all(helped):
        fewer = _write_range(known, measured.fewer, measured)
        yield f"Distillation makes {fewer} than labels alone{_name_spread(group)}."
    elif all(harmed):
        more = _write_range(known, measured.more, measured)
        yield f"Distillation does harm here: it makes {more} than labels alone{_name_spread(group)}."
    elif any(helped) or any(harmed):
        parts = []
        for verb, are, word in (("helps", helped, measured.fewer), ("does harm", harmed, measured.more)):
            if any(are):
                students = name_students([s.settings for s, is_one in zip(group, are, strict=True) if is_one])
                sizes = _write_range([d for d, is_one in zip(known, are, strict=True) if is_one], word, measured)
                parts.append(f"{verb} for {students}, by {sizes} than labels alone")
        if len(group) > sum(helped) + sum(harmed):
            others = "the other" if len(group) == sum(helped) + sum(harmed) + 1 else "the others"
            parts.append(f"is not shown to help for {others}, where labels alone may do as well")
        yield f"Distillation {', and '.join(parts)}."
    else:
        low = min(each.main_interval[0] for each in known)
        high = max(each.main_interval[1] for each in known)
        if measured.is_relative and high - low > 2 * MAX_SPAN:
            yield "Whether distillation helps cannot be told: these runs differ too much."
            return
        interval = "95 % interval" if len(known) == 1 else f"{len(known)} intervals of 95 %, taken together"
        difference = measured.write_interval(low, high)
        yield f"Distillation is not shown to help here: it makes {difference} than labels alone ({interval})."


def describe_test(group: Sequence[StudentAnswer], measured: Measured) -> Iterator[str]:
    """Give the errors on the test split of one student, its baseline and its teacher."""
    test = group[0].test
    if len(group) > 1 or math.isnan(test.student):
        return
    unit = f" of {test.n_test:,}" if test.n_test and measured.are_errors and not measured.is_percent else ""
    percent = " %" if measured.is_percent else ""
    means = {"student": test.student, "labels alone": test.baseline, "teacher": test.teacher}
    means = {name: mean for name, mean in means.items() if not math.isnan(mean)}
    texts = zip(means, measured.write_means(list(means.values())), strict=True)
    parts = [f"{name} {mean}{percent}{unit if name == 'student' else ''}" for name, mean in texts]
    average = f", mean of {len(group[0].cells)} data sets" if len(group[0].cells) > 1 else ""
    title = "errors" if measured.are_errors else measured.more.removeprefix("higher ")
    yield f"Test {title}{average}: {', '.join(parts)}."


def _write_range(differences: Sequence[MeanDifference], word: str, measured: Measured) -> str:
    """Write the size of a difference with its interval, or the range of several, as in "31 % more errors"."""
    sizes = sorted(abs(each.mean) for each in differences)
    if len(differences) > 1:
        least, most = measured.write(sizes[0]), measured.write(sizes[-1])
        return f"{least} {word}" if least == most else f"{least} to {most} {word}"
    low, high = sorted(abs(end) for end in differences[0].main_interval)
    if measured.is_relative and word == measured.fewer:
        high = min(high, 1.0)  # There are no fewer than none.
    return f"{measured.write(sizes[0])} {word} (95 % interval {measured.write(low)} to {measured.write(high)})"


def _name_spread(group: Sequence[StudentAnswer]) -> str:
    """Say of a range over several students that it is no interval; empty if there is one student."""
    if len(group) == 1:
        return ""
    names = list(group[0].settings)
    return f", depending on the {names[0] if len(names) == 1 else 'student'}"
