"""The files of an export as bytes: weights, the script that uses them, and what both of them need."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from kdtune.columns import MODEL
from kdtune.results.weights import describe_shape
from kdtune.settings import ModuleShape
from kdtune.take_home.choice import Row
from kdtune.take_home.environment import make_environment
from kdtune.take_home.network_code import write_factory_call, write_layers
from kdtune.take_home.networks import TakenNetwork
from kdtune.take_home.preprocessing import ArrayPreprocessing, Preprocessing, TablePreprocessing
from kdtune.take_home.writing import CARD, LABELS, ONNX, PREPROCESSING, SCRIPT, SWEEP, WEIGHTS


def write_weights(taken: TakenNetwork, row: Row) -> bytes:
    """Return the file of weights; its metadata name no paths of this machine."""
    from safetensors.torch import save

    metadata = {
        "format": "pt",
        "id": taken.id,
        "model": str(row[MODEL]),
        "shape": describe_shape(taken.shape),
        "inputs": json.dumps(taken.input_shape),
        "n_classes": json.dumps(taken.n_classes),
        "data_id": taken.data_draw.id,
    }
    content: bytes = save(taken.state, metadata=metadata)
    return content


def write_network_code(taken: TakenNetwork) -> str:
    """Return the body of a function that builds the network."""
    if isinstance(taken.shape, ModuleShape):
        return write_factory_call(taken.shape, taken.input_shape, taken.n_classes)
    return write_layers(taken.module)  # type: ignore[arg-type]


def write_script(network_code: str, preprocessing: Preprocessing, is_module: bool = False) -> bytes:
    """Return ``predict.py``.

    Parameters
    ----------
    network_code : the body of the function that builds the network.
    is_module : whether the network is a module of the user's, which takes (batch, *shape) in place of rows.
    """
    template = make_environment().get_template("predict.py.jinja")
    text = template.render(
        inputs=name_input(preprocessing),
        network_code=network_code,
        is_module=is_module,
        is_table=isinstance(preprocessing, TablePreprocessing),
        is_image=isinstance(preprocessing, ArrayPreprocessing) and preprocessing.is_image,
    )
    # What is left out leaves its empty lines.
    return re.sub(r"(?<!@cache)\n+(?=@cache|def |if __name__)", "\n\n\n", text).encode()


def name_input(preprocessing: Preprocessing) -> str:
    """Return what ``predict.py`` is given in an example."""
    if isinstance(preprocessing, TablePreprocessing):
        return "TABLE.csv"
    return "IMAGE.png" if preprocessing.is_image else "EXAMPLES.npy"


_MEANINGS = {
    WEIGHTS: "the weights",
    ONNX: "the network with its preprocessing for ONNX runtimes",
    PREPROCESSING: "how a user's examples become what the network takes",
    LABELS: "the classes in the order of the logits",
    SCRIPT: "a page of code that loads and uses it",
    SWEEP: "the sweep that it comes from",
    CARD: "this card",
}


def describe_file(name: str) -> str:
    """Say what a file of an export is."""
    return _MEANINGS.get(name, "the code that builds the network")


def to_json(value: Mapping[str, Any]) -> bytes:
    """Return a mapping as JSON with a line for each key."""
    lines = [f" {json.dumps(key)}: {json.dumps(item, ensure_ascii=False)}" for key, item in value.items()]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()
