"""Teachers that are modules of the user's and were trained elsewhere: they are run once over all examples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from kdtune.data.splits import Data
from kdtune.inputs.arrays import open_array
from kdtune.inputs.images import decode_images
from kdtune.plan.network import Network
from kdtune.settings import GivenDataset, TeacherModule
from kdtune.stacked.trained_module import build_trained_module
from kdtune.train.logits import Logits

RUN_BATCH = 256  # examples that a module sees at once; those of a large module must fit into a GPU
SPLITS = ("train", "val", "test")


def run_trained_module(network: Network, data: Data, device: str) -> Logits:
    """Return the logits of a module on all splits, computed in evaluation mode.

    Raises
    ------
    ValueError
        If the module cannot be built, its weights do not fit, or its logits are not finite.
    """
    settings = network.shape
    assert isinstance(settings, TeacherModule)
    module = build_trained_module(
        settings.load_factory(),
        settings.args,
        settings.get_own_input_shape(network.input_shape),
        network.data.settings.n_classes,
        None if settings.weights_path is None else Path(settings.weights_path),
    ).to(device)
    logits = {split: _run(module, _read_batches(network, data, split), device) for split in SPLITS}
    for split, values in logits.items():
        if not np.isfinite(values).all():
            raise ValueError(f"the logits of {settings.factory} on the {split} split are not finite")
    return logits


def _run(module: nn.Module, batches: Any, device: str) -> npt.NDArray[np.float32]:
    """Return the logits on successive batches, (examples, classes)."""
    with torch.inference_mode():
        logits: list[Tensor] = [module(torch.from_numpy(batch).to(device)).float().cpu() for batch in batches]
    return torch.cat(logits).numpy()


def _read_batches(network: Network, data: Data, split: str) -> Any:
    """Yield the examples of a split as the module sees them, (batch, *input shape)."""
    n_examples = len(getattr(data, f"y_{split}"))
    read = _choose_reader(network, data, split)
    for start in range(0, n_examples, RUN_BATCH):
        yield read(start, min(start + RUN_BATCH, n_examples))


def _choose_reader(network: Network, data: Data, split: str) -> Callable[[int, int], npt.NDArray[np.float32]]:
    """Return the function that reads examples: the student's, or the same images at the teacher's own size."""
    settings = network.shape
    assert isinstance(settings, TeacherModule)
    if settings.inputs is None:
        x = getattr(data, f"x_{split}")
        # A copy: the module may change its inputs in place, and students read the same rows.
        return lambda start, stop: np.array(x[start:stop], order="C").reshape(-1, *network.input_shape)
    own = settings.inputs
    dataset = network.data.settings
    assert isinstance(dataset, GivenDataset)
    assert data.rows is not None
    files = dataset.given.parts[data.rows[split].part].files
    assert files is not None, "only folders of images can be read at another size"
    split_files = open_array(files)[data.rows[split].indices]
    return lambda start, stop: decode_images(split_files[start:stop], own.size, own.mean, own.std)
