"""The sentences of a model card about where a network comes from: its data and its teacher."""

from __future__ import annotations

from typing import Any

from kdtune.columns import MODEL, N_TEST, N_TRAIN, N_VAL, NUM_ERROR, REPLICATE, TEACHER
from kdtune.take_home.choice import Row
from kdtune.take_home.replicate_facts import ReplicateFacts

_LAYERED = ("mlp", "cnn")  # Their columns `hidden` and `channels` are sizes of layers; a module's are its arguments.


def describe_data(row: Row, dataset: str, settings: Any, replicates: ReplicateFacts) -> str:
    """Say on which data the network was trained, chosen and tested."""
    content = getattr(getattr(settings, "given", None), "content", None)
    known_by = f" Its content has the hash `{content}`." if content else ""
    choice = (
        "T was chosen on the validation split; the results are those of the test split, which nothing was trained or "
        "chosen on."
    )
    if replicates.n_cuts > 1:
        choice = (
            f"T was chosen on the validation splits; the results are those of the test split of this replicate, which "
            f"this network was neither trained nor chosen on. But each of the {replicates.n_cuts} replicates cuts the "
            f"same examples anew: its test examples were training or validation examples of other replicates, which "
            f"took part in the choice of T, so the results may be slightly too good."
        )
    return (
        f"{dataset}: {row[N_TRAIN]:,} training, {row[N_VAL]:,} validation and {row[N_TEST]:,} test examples; replicate "
        f"{row[REPLICATE]} of the sweep's draws.{known_by} {choice}"
    )


def describe_mean_errors(row: Row, replicates: ReplicateFacts) -> str:
    """Say how many errors students make in the mean, where test splits differ and one may be an easy one; else ""."""
    if replicates.n_cuts == 1 or replicates.n_students < 2 or replicates.mean_errors is None:
        return ""
    return (
        f"Over the {replicates.n_students} replicates, each with a test split of its own, students at this T are wrong "
        f"on {replicates.mean_errors:.1f} in the mean ({replicates.mean_errors / row[N_TEST]:.2%})."
    )


def describe_teacher(row: Row, teacher_row: Row | None, replicates: ReplicateFacts) -> str:
    """Say who the teacher was, and whether it has less to give than the labels."""
    if row[MODEL] == TEACHER:
        return "This is the teacher itself."
    if teacher_row is None:
        return "It had no teacher: it was trained on the labels alone."
    kind = teacher_row.get("architecture")
    sizes = (teacher_row.get("hidden") or teacher_row.get("channels")) if kind in _LAYERED else None
    what = f"`{kind}`{f' ({sizes})' if sizes else ''}"
    if kind in ("logits", "probabilities"):
        what = f"A classifier that was trained elsewhere and is given by its {kind}"
    sentence = f"{what}; its id in the sweep is `{teacher_row['id']}`. It has {teacher_row[NUM_ERROR]:,} test errors."
    teacher, baseline = replicates.teacher_errors, replicates.baseline_errors
    if teacher is None or baseline is None or teacher <= baseline:
        return sentence
    return (
        f"{sentence} The teacher makes more errors on the test split than students that were trained on labels alone "
        f"({teacher:.1f} and {baseline:.1f} in the mean): a better teacher may gain more than any T."
    )
