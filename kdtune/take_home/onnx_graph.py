"""A network with its preprocessing as an ONNX graph: a user's examples in, logits and probabilities out."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor, nn

from kdtune.data.encoding import FrameEncoder
from kdtune.take_home.preprocessing import ArrayPreprocessing, Preprocessing, TablePreprocessing

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
EXAMPLES = 3  # of the batch that the graph is traced with; torch takes 0 and 1 for sizes that are fixed
OUTPUTS = ["logits", "probabilities"]
_LARGEST = float(torch.finfo(torch.float32).max)


def list_missing_packages() -> list[str]:
    """List the packages of the extra ``export`` that are not installed."""
    return [name for name in PACKAGES if find_spec(name) is None]


class _ArrayGraph(nn.Module):
    """From examples, (batch, *shape), to logits and probabilities."""

    def __init__(self, network: nn.Module, preprocessing: ArrayPreprocessing, temperature: float) -> None:
        super().__init__()
        self.network, self.temperature = network, temperature
        scaling = preprocessing.scaling
        self.is_standardised = not isinstance(scaling.mean, float)
        scale_type = torch.float64 if self.is_standardised else torch.float32
        self.mean = nn.Buffer(torch.as_tensor(scaling.mean, dtype=torch.float64))
        self.scale = nn.Buffer(torch.as_tensor(scaling.scale, dtype=scale_type))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and probabilities, (batch, classes) each."""
        rows = x.flatten(1)
        if self.is_standardised:
            rows = ((rows.to(torch.float64) - self.mean) / self.scale).to(torch.float32)
        else:
            rows = rows.to(torch.float32) / self.scale
        return _finish(self.network(rows), self.temperature)


class _TableGraph(nn.Module):
    """From numbers, (batch, numbers), and the codes of texts, (batch, texts), to logits and probabilities."""

    def __init__(self, network: nn.Module, encoder: FrameEncoder, temperature: float) -> None:
        super().__init__()
        self.network, self.temperature = network, temperature
        self.category_counts = [len(column.categories) for column in encoder.texts]
        numbers = encoder.numbers
        self.fill = _to_buffer([np.nan if column.fill is None else column.fill for column in numbers])
        self.mean = _to_buffer([column.mean for column in numbers])
        self.scale = _to_buffer([column.scale for column in numbers])

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and probabilities, (batch, classes) each; a table may lack numbers or texts."""
        features = []
        if len(self.fill):
            numbers = torch.where(torch.isnan(inputs[0]), self.fill, inputs[0])
            is_constant = self.scale == 0  # Such a column has the feature 0.
            scaled = (numbers - self.mean) / torch.where(is_constant, 1.0, self.scale)
            features.append(torch.where(is_constant, 0.0, scaled.clamp(-_LARGEST, _LARGEST)).to(torch.float32))
        for index, count in enumerate(self.category_counts):
            codes = inputs[-1][:, index : index + 1]
            features.append((codes == torch.arange(count)).to(torch.float32))
        return _finish(self.network(torch.cat(features, dim=1)), self.temperature)


def _to_buffer(values: list[float]) -> nn.Buffer:
    return nn.Buffer(torch.tensor(values, dtype=torch.float64))


def _finish(logits: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    logits = logits.float()
    return logits, torch.softmax(logits / temperature, dim=1)


def build_onnx(network: nn.Module, preprocessing: Preprocessing, temperature: float, classes: Sequence[Any]) -> bytes:
    """Return a network as the bytes of an ONNX file. The number of examples in a batch is free.

    The inputs of a table are ``numbers``, float64 with NaN for missing ones, and ``texts``, strings, empty for missing
    ones; those of arrays are ``x``.

    Parameters
    ----------
    network : takes rows of features, (batch, features).
    preprocessing : what is done to a user's examples first.
    temperature : divides the logits before the softmax.
    classes : labels in order, for the file's metadata.

    Raises
    ------
    Exception
        Whatever torch raises for a module that it cannot export.
    """
    graph: nn.Module
    examples: tuple[Tensor, ...]
    if isinstance(preprocessing, ArrayPreprocessing):
        graph = _ArrayGraph(network, preprocessing, temperature)
        names = ["x"]
        examples = (torch.zeros(EXAMPLES, *preprocessing.shape, dtype=getattr(torch, preprocessing.dtype)),)
    else:
        encoder = preprocessing.encoder
        graph = _TableGraph(network, encoder, temperature)
        names = ["numbers"] * bool(encoder.numbers) + ["codes"] * bool(encoder.texts)
        sizes = {"numbers": (len(encoder.numbers), torch.float64), "codes": (len(encoder.texts), torch.int64)}
        examples = tuple(torch.zeros(EXAMPLES, sizes[name][0], dtype=sizes[name][1]) for name in names)
    model = _trace(graph.eval(), examples, names)
    metadata = {"classes": json.dumps(list(classes)), "temperature": json.dumps(temperature)}
    if isinstance(preprocessing, TablePreprocessing):
        encoder = preprocessing.encoder
        metadata |= {
            "numbers": json.dumps([column.name for column in encoder.numbers]),
            "texts": json.dumps([column.name for column in encoder.texts]),
        }
        if encoder.texts:
            _take_texts(model, encoder)
    _add_metadata(model, metadata)
    content: bytes = model.SerializeToString()
    return content


@contextmanager
def _silence() -> Iterator[None]:
    """Keep torch's exporter from printing and logging; what goes wrong it raises."""
    disabled_level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled_level)


def _trace(graph: nn.Module, examples: tuple[Tensor, ...], names: list[str]) -> Any:
    """Return the graph as a protocol buffer of ONNX."""
    batch = torch.export.Dim("batch")
    if isinstance(graph, _TableGraph):
        shapes: Any = (tuple({0: batch} for _ in examples),)  # Of all positional arguments together.
    else:
        shapes = ({0: batch},)
    with _silence(), torch.no_grad():
        try:
            # Of the two ways this one knows that len(x) is not fixed.
            program = torch.export.export(graph, examples, dynamic_shapes=shapes, strict=True)
        except Exception:  # It raises errors of many kinds; the other way may take what this one does not.
            program = torch.export.export(graph, examples, dynamic_shapes=shapes, strict=False)
        exported = torch.onnx.export(program, (), dynamo=True, input_names=names, output_names=OUTPUTS, verbose=False)
    assert exported is not None
    model = exported.model_proto
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    return model


def _take_texts(model: Any, encoder: FrameEncoder) -> None:
    """Let a graph that takes codes of texts take the texts: ONNX has strings, torch has none."""
    from onnx import TensorProto, helper

    graph = model.graph
    others = [value for value in graph.input if value.name != "codes"]
    texts = helper.make_tensor_value_info("texts", TensorProto.STRING, ["batch", len(encoder.texts)])
    del graph.input[:]
    graph.input.extend([*others, texts])
    nodes, columns = [], []
    for index, column in enumerate(encoder.texts):
        codes = {name: code for code, name in enumerate(column.categories) if name is not None}
        if column.fill is not None:
            codes.setdefault("", codes[column.fill])
        graph.initializer.append(helper.make_tensor(f"text_index_{index}", TensorProto.INT64, [1], [index]))
        nodes += [
            helper.make_node("Gather", ["texts", f"text_index_{index}"], [f"text_{index}"], axis=1),
            helper.make_node(
                "LabelEncoder",
                [f"text_{index}"],
                [f"code_{index}"],
                domain="ai.onnx.ml",
                keys_strings=list(codes),
                values_int64s=list(codes.values()),
                default_int64=-1,
            ),
        ]
        columns.append(f"code_{index}")
    nodes.append(helper.make_node("Concat", columns, ["codes"], axis=1))
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *rest])
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 2))


def _add_metadata(model: Any, metadata: Mapping[str, str]) -> None:
    for key, value in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value


def run_onnx(
    content: bytes, batches: Iterable[npt.NDArray[Any] | pd.DataFrame], preprocessing: Preprocessing
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the logits and the probabilities that onnxruntime computes of a user's examples, (examples, classes)."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    outputs = [session.run(OUTPUTS, _make_feed(batch, preprocessing)) for batch in batches]
    return np.concatenate([logits for logits, _ in outputs]), np.concatenate([values for _, values in outputs])


def _make_feed(batch: Any, preprocessing: Preprocessing) -> dict[str, npt.NDArray[Any]]:
    """Return the inputs of the graph for some examples."""
    if isinstance(preprocessing, ArrayPreprocessing):
        return {"x": np.asarray(batch, dtype=preprocessing.dtype)}
    feed: dict[str, npt.NDArray[Any]] = {}
    numbers, texts = preprocessing.encoder.numbers, preprocessing.encoder.texts
    if numbers:
        columns = [batch[column.name].to_numpy(dtype=np.float64, na_value=np.nan) for column in numbers]
        feed["numbers"] = np.stack(columns, axis=1)
    if texts:
        feed["texts"] = np.stack([batch[column.name].fillna("").to_numpy(dtype=object) for column in texts], axis=1)
    return feed
