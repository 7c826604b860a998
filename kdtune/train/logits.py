"""The logits of trained networks on the splits of their data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from kdtune.plan.memory_estimate import round_up_to_alignment
from kdtune.stacked.memory_layout import Inputs, append_ones
from kdtune.stacked.stack import Stack
from kdtune.train.members import Members

# The logits of a network by split ("train", "val", "test"): float32 arrays of (examples, classes).
Logits = dict[str, Any]

# The number of examples that are evaluated at once is a constant, since the size of a product may change its last bits.
EVAL_BATCH = 1024


@torch.inference_mode()
def compute_logits(model: Stack, members: Members, splits: Sequence[str], device: str) -> list[Logits]:
    """Compute the logits of each member on these splits of its data, without dropout."""
    logits_of_member: list[Logits] = [{} for _ in members.networks]
    for split in splits:
        batch_logits = [
            z.transpose(1, 2).to("cpu", torch.float32, copy=True)
            for _, z in iterate_batches(model, members, split, device)
        ]
        logits_of_split = torch.cat(batch_logits, dim=1).numpy()  # (members, examples, classes)
        for logits, values in zip(logits_of_member, logits_of_split, strict=True):
            logits[split] = values
    return logits_of_member


def iterate_batches(model: Stack, members: Members, split: str, device: str) -> Iterator[tuple[slice, Tensor]]:
    """Yield the logits of the members on one split of their data, batch by batch, without dropout.

    The caller must be in inference mode.

    Yields
    ------
    Which examples of the split they are, and their logits, (members, classes, examples), which the next batch may
    overwrite.
    """
    distinct_data = members.find_distinct_data()
    n_features = distinct_data.data_sets[0].x_train.shape[1]
    x_of_data_set = [getattr(data, f"x_{split}") for data in distinct_data.data_sets]
    for start in range(0, len(x_of_data_set[0]), EVAL_BATCH):
        batches = [append_ones(x[start : start + EVAL_BATCH], model.precision) for x in x_of_data_set]
        if len(batches) > 1:
            batches = [batches[i] for i in distinct_data.data_set_of_member]
        x = torch.stack(batches).to(device)  # (1 or members, examples, padded(features + 1))
        n_examples = x.shape[1]
        x = pad(x, (0, 0, 0, round_up_to_alignment(n_examples) - n_examples))
        inputs = Inputs.from_examples(x, n_features, model.n_members, n_examples)
        yield slice(start, start + n_examples), model.forward(inputs)
