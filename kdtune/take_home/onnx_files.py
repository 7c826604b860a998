"""The ONNX file of an export, checked against PyTorch; or the reason why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import softmax
from torch import nn

from kdtune.take_home.onnx_graph import build_onnx, list_missing_packages, run_onnx
from kdtune.take_home.preprocessing import Preprocessing
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
    difference : the largest difference of a logit between onnxruntime and PyTorch.
    sentence : what is to be said about it.
    """

    content: bytes | None
    difference: float | None
    sentence: str


def make_onnx_file(
    network: nn.Module,
    preprocessing: Preprocessing,
    temperature: float,
    classes: Sequence[Any],
    examples: Iterable[npt.NDArray[Any] | pd.DataFrame],
    torch_logits: npt.NDArray[np.float32],
    examples_name: str = "the test split",
) -> OnnxFile:
    """Make the ONNX file of a network with its preprocessing, and compare it with PyTorch.

    Parameters
    ----------
    network, preprocessing, temperature, classes : as for ``build_onnx``.
    examples : batches of examples as the user has them.
    torch_logits : PyTorch's logits of all of these examples, (examples, classes).
    examples_name : what the examples are called in sentences.
    """
    missing_packages = list_missing_packages()
    if missing_packages:
        verb = "is" if len(missing_packages) == 1 else "are"
        return OnnxFile(
            None,
            None,
            f"There is no `{ONNX}`: {join_names(missing_packages)} {verb} not installed; "
            f"`pip install {' '.join(missing_packages)}`, then export again.",
        )
    try:
        content = build_onnx(network, preprocessing, temperature, classes)
        logits, probabilities = run_onnx(content, examples, preprocessing)
    except Exception as error:  # torch and onnxruntime raise errors of many kinds for what they cannot take.
        reason = " ".join(str(error).split("\n\n")[0].split()) or type(error).__name__
        return OnnxFile(None, None, f"There is no `{ONNX}`, since torch cannot export this network: {reason[:300]}")
    difference = float(np.abs(logits - torch_logits).max())
    probability_difference = float(np.abs(probabilities - softmax(torch_logits / temperature, axis=1)).max())
    largest_logit = max(1.0, float(np.abs(torch_logits).max()))
    if not (difference <= TOLERANCE * largest_logit and probability_difference <= TOLERANCE):
        return OnnxFile(
            None,
            None,
            f"There is no `{ONNX}`: its logits differ from PyTorch's by up to {difference:.2g} on {examples_name}; at "
            f"most {TOLERANCE * largest_logit:.2g} would be right.",
        )
    return OnnxFile(
        content,
        difference,
        f"`{ONNX}` gives PyTorch's results on {examples_name}: logits differ by at most {difference:.2g}, "
        f"probabilities by at most {probability_difference:.2g} (onnxruntime on a CPU).",
    )
