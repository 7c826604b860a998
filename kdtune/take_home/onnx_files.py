"""The ONNX file of an export, checked against PyTorch on the test split; or the reason why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import softmax

from kdtune.take_home.networks import TakenNetwork
from kdtune.take_home.onnx_graph import build_onnx, list_missing_packages, run_onnx
from kdtune.take_home.preprocessing import Preprocessing, iterate_user_examples
from kdtune.take_home.writing import ONNX
from kdtune.text import join_names

# The largest difference of a probability; that of a logit is this times the largest logit where that is above 1.
TOLERANCE = 1e-5


@dataclass(frozen=True)
class OnnxFile:
    """An ONNX file.

    Attributes
    ----------
    content : the file; None if there is none.
    difference : the largest difference of a logit between onnxruntime and PyTorch on the test split.
    sentence : what is to be said about it.
    """

    content: bytes | None
    difference: float | None
    sentence: str


def make_onnx_file(
    taken: TakenNetwork, preprocessing: Preprocessing, temperature: float, classes: Sequence[Any]
) -> OnnxFile:
    """Make the ONNX file of a network with its preprocessing, and compare it with PyTorch.

    Parameters
    ----------
    temperature, classes : as for ``build_onnx``.
    """
    missing_packages = list_missing_packages()
    if missing_packages:
        verb = "is" if len(missing_packages) == 1 else "are"
        return OnnxFile(
            None,
            None,
            f"There is no `{ONNX}`: {join_names(missing_packages)} {verb} not installed; `pip install "
            f"'kdtune[export]'`, then export again.",
        )
    try:
        content = build_onnx(taken.rows_module, preprocessing, temperature, classes)
        batches = iterate_user_examples(taken.data_draw.settings, taken.data, "test", preprocessing)
        logits, probabilities = run_onnx(content, batches, preprocessing)
    except Exception as error:  # torch and onnxruntime raise errors of many kinds for what they cannot take.
        reason = " ".join(str(error).split("\n\n")[0].split()) or type(error).__name__
        return OnnxFile(None, None, f"There is no `{ONNX}`, since torch cannot export this network: {reason[:300]}")
    torch_logits = taken.compute_logits("test")
    difference = float(np.abs(logits - torch_logits).max())
    probability_difference = float(np.abs(probabilities - softmax(torch_logits / temperature, axis=1)).max())
    largest_logit = max(1.0, float(np.abs(torch_logits).max()))
    if not (difference <= TOLERANCE * largest_logit and probability_difference <= TOLERANCE):
        return OnnxFile(
            None,
            None,
            f"There is no `{ONNX}`: its logits differ from PyTorch's by up to {difference:.2g} on the test split; at "
            f"most {TOLERANCE * largest_logit:.2g} would be right.",
        )
    return OnnxFile(
        content,
        difference,
        f"`{ONNX}` gives PyTorch's results on the test split: logits differ by at most {difference:.2g}, probabilities "
        f"by at most {probability_difference:.2g} (onnxruntime on a CPU).",
    )
