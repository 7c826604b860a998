"""The logits of trained networks on the splits of their data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import pad

from kdtune.plan.memory_estimate import pad_to_lane
from kdtune.stacked.memory_layout import Inputs, append_ones
from kdtune.stacked.stack import Stack
from kdtune.train.members import Members

# By split ("train", "val", "test"): arrays of (examples, classes), float32.
Logits = dict[str, Any]

# Examples that are evaluated at once. A constant, since the size of a product may change its last bits.
EVAL_BATCH = 1024


@torch.inference_mode()
def compute_logits(
    model: Stack, members: Members, splits: Sequence[str], device: str, precision: torch.dtype
) -> list[Logits]:
    """Compute the logits of each member on some splits of its data, without dropout."""
    logits_of_member: list[Logits] = [{} for _ in members.networks]
    distinct_data = members.distinct_data
    n_features = distinct_data.data_sets[0].x_train.shape[1]
    for split in splits:
        x_of_data_set = [append_ones(getattr(data, f"x_{split}"), precision) for data in distinct_data.data_sets]
        batch_logits = []
        for start in range(0, len(x_of_data_set[0]), EVAL_BATCH):
            batches = [x[start : start + EVAL_BATCH] for x in x_of_data_set]
            if len(batches) > 1:
                batches = [batches[i] for i in distinct_data.data_set_of_member]
            x = torch.stack(batches).to(device)  # (1 or pack, examples, padded(features + 1))
            n_examples = x.shape[1]
            x = pad(x, (0, 0, 0, pad_to_lane(n_examples) - n_examples))
            z = model.forward(Inputs.from_examples(x, n_features, model.pack, n_examples))  # (pack, classes, examples)
            batch_logits.append(z.transpose(1, 2).to("cpu", torch.float32, copy=True))
        logits_of_split = torch.cat(batch_logits, dim=1).numpy()  # (pack, examples, classes)
        for logits, values in zip(logits_of_member, logits_of_split, strict=True):
            logits[split] = values
    return logits_of_member
