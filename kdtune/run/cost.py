"""The cost of a sweep, as numbers and as the lines that ``kdtune plan`` prints."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from kdtune.text import pluralize

MAX_PRINTED_SIZES = 4

# If another precision takes more than this share of the time, the difference may be noise of the measurement.
MAX_CLEARLY_FASTER = 0.95


@dataclass(frozen=True)
class SweepCounts:
    """How many networks a sweep has, and how many of them are still to train."""

    name: str
    folder: str
    networks: int
    replicates: int
    teachers: int
    baselines: int
    distilled_students: int
    min_students_per_teacher: int
    max_students_per_teacher: int
    to_train: int
    packs_by_size: dict[int, int]
    """The number of packs to train, by how many networks a pack has."""
    work: float
    """Multiply-adds of training all these packs."""
    has_unlabelled_data: bool = False
    """Whether a data set has no labels of training examples, so that its students have no baselines."""
    out_of_fold_teachers: int = 0
    """The teachers that are fitted once on all training examples, and once for each fold for their soft targets."""
    folds: int = 0


@dataclass(frozen=True)
class TimeEstimate:
    """How long training would take, and how that was measured."""

    seconds: float
    workers: int
    threads: int
    """The number of threads of each worker."""
    is_in_process: bool
    """Whether the process that runs the sweep trains it, in place of workers."""
    device: str
    """The device on which packs were timed: ``"cpu"`` or ``"cuda"``."""
    lacks_gpu: bool
    """Whether workers would have a GPU, but this machine has none."""
    precisions: tuple[str, ...]
    """The precisions of matrix products that the packs have, as in ``train.precision``."""
    timed_kinds: int
    """How many kinds of pack were timed."""
    float32_seconds: float | None
    """The time if all networks were trained in float32; None if they are."""

    @property
    def is_float32_faster(self) -> bool:
        """Whether the sweep asks for another precision although float32 is clearly faster."""
        return self.float32_seconds is not None and self.float32_seconds < MAX_CLEARLY_FASTER * self.seconds


def format_counts(counts: SweepCounts) -> list[str]:
    """Return the lines that say what a sweep would train."""
    size = f"{pluralize(counts.networks, 'network')}, {pluralize(counts.replicates, 'replicate')}"
    lines = [
        f"{counts.name}: {size}, for {counts.folder}",
        _format_line("teachers", f"{counts.teachers:,}", _format_students_per_teacher(counts)),
        *_explain_folds(counts),
        _format_line("baselines", f"{counts.baselines:,}", _explain_missing_baselines(counts)),
        _format_line("distilled students", f"{counts.distilled_students:,}"),
        _format_line("done already", f"{counts.networks - counts.to_train:,}"),
        _format_line("to train", f"{counts.to_train:,}", _format_packs(counts.packs_by_size)),
    ]
    if counts.work:
        lines.append(_format_line("work", f"{counts.work:.3g}", "multiply-adds"))
    return lines


def format_time(estimate: TimeEstimate) -> list[str]:
    """Return the lines that say how long training takes, how that was measured, and which precision is faster."""
    kinds = f"{pluralize(estimate.timed_kinds, 'kind')} of pack"
    threads = pluralize(estimate.threads, "thread")
    place = f"on {pluralize(estimate.workers, 'worker')}, {threads} each"
    if estimate.is_in_process:
        place = f"in the process of the sweep, on {threads}"
    lines = [
        _format_line("time", "about", f"{_format_duration(estimate.seconds)} {place}"),
        _format_line("", "", f"(some steps of {kinds} timed {_format_device(estimate)}, in "
                     f"{' and '.join(estimate.precisions)})"),
    ]  # fmt: skip
    if estimate.float32_seconds is not None:
        bf16, float32 = _format_duration(estimate.seconds), _format_duration(estimate.float32_seconds)
        if estimate.is_float32_faster:
            comparison = (
                f"bf16 is slower here than float32: about {bf16} against {float32}; "
                f"leave out --precision bf16 (in the file: train.precision)"
            )
        else:
            comparison = f"float32 would take about {float32} here"
        lines.append(f"  {comparison}")
    return lines


def format_disk(n_bytes: float, kept_weights: str = "") -> str:
    """Return the line that says how much disk a sweep takes, and which students' weights that includes."""
    explanation = f", weights of {kept_weights} included" if kept_weights else ""
    return _format_line("disk", "about", f"{format_bytes(n_bytes)}{explanation}")


def _format_line(title: str, value: str, explanation: str = "") -> str:
    return f"  {title:<20}{value:>9}  {explanation}".rstrip()


def _format_students_per_teacher(counts: SweepCounts) -> str:
    min_students, max_students = counts.min_students_per_teacher, counts.max_students_per_teacher
    if min_students == max_students:
        return f"each shared by {pluralize(max_students, 'student')}"
    return f"each shared by {min_students:,} to {max_students:,} students"


def _explain_folds(counts: SweepCounts) -> list[str]:
    """Return the line that says how many fits soft targets out of fold take, if there are any."""
    if not counts.out_of_fold_teachers:
        return []
    are_all = counts.out_of_fold_teachers == counts.teachers
    subject = "soft targets" if are_all else f"{counts.out_of_fold_teachers:,}"
    return [_format_line("", "", f"{subject} out of fold: {counts.folds} + 1 fits each")]


def _explain_missing_baselines(counts: SweepCounts) -> str:
    """Return why data sets have no baselines; empty if all have them."""
    if not counts.has_unlabelled_data:
        return ""
    reason = "training examples have no labels"
    return f"none where {reason}" if counts.baselines else f"none: {reason}"


def _format_packs(packs_by_size: dict[int, int]) -> str:
    """Return "in 5 packs (3 of 9 networks, 2 of 4)", the largest first."""
    n_packs = pluralize(sum(packs_by_size.values()), "pack")
    if not packs_by_size:
        return f"in {n_packs}"
    sizes = sorted(packs_by_size.items(), reverse=True)
    parts = [f"{count:,} of {size:,}" for size, count in sizes[:MAX_PRINTED_SIZES]]
    if len(sizes) > MAX_PRINTED_SIZES:
        parts.append("...")
    return f"in {n_packs} ({', '.join(parts)})"


def _format_device(estimate: TimeEstimate) -> str:
    if estimate.device == "cuda":
        return "on a GPU of this machine"
    if estimate.lacks_gpu:
        return "on this machine, which has no GPU"
    return "on this machine"


def _format_duration(seconds: float) -> str:
    """Return hours:minutes:seconds, after days if there are any."""
    return str(timedelta(seconds=round(seconds)))


def format_bytes(count: float) -> str:
    """Return a number of bytes with its unit, to three digits."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
