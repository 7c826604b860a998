"""Try the modules of the user's on examples of the sweep's data, and find settings that do not fit such modules."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from kdtune.errors import Mistake
from kdtune.inputs.arrays import Array, hash_array
from kdtune.inputs.reader import InputReader
from kdtune.inputs.storage import find_in_memory, keep_in_memory
from kdtune.settings import Dataset, Distill, ModuleFacts, ModuleShape, TeacherModule
from kdtune.settings.given_images import ImageFolder
from kdtune.settings.module_facts import PROBE_VERSION
from kdtune.spec.probe_examples import choose_examples
from kdtune.spec.yaml_tree import YamlNode


def find_module_mistakes(
    dataset: Dataset, block_name: str, shape: ModuleShape, node: YamlNode, reader: InputReader
) -> Iterator[Mistake]:
    """Find out what a module of the user's is like on these data, and yield what is wrong with it.

    What was found out is kept beside the other inputs under a hash of the module's source, so that the next command
    need not try it again.

    Parameters
    ----------
    dataset, shape : The settings of the data and of the module.
    block_name, node : The name of the module's block, and the block as it is written.
    reader : The reader that probes modules and takes notes.
    """
    input_shape, n_classes = dataset.input_shape, dataset.n_classes
    if isinstance(shape, TeacherModule) and shape.inputs is not None:
        if not isinstance(dataset, ImageFolder):
            message = f"reads image files at another size, and the data are of kind {dataset.kind}; leave it out"
            yield Mistake(node.descendant(("inputs",)).location, f"{block_name}.inputs", message)
            return
        input_shape = shape.get_own_input_shape(input_shape)
    examples = choose_examples(dataset) if input_shape == dataset.input_shape else None
    path = _get_facts_path(shape, input_shape, n_classes, examples, reader)
    try:
        facts = reader.read_once(path, lambda: _read_or_probe(path, shape, input_shape, n_classes, examples, reader))
    except ValueError as error:
        # What does not fit is the factory, or the file of weights.
        setting = getattr(error, "setting", "") or "factory"
        advice = ""
        if input_shape != dataset.input_shape:
            advice = (
                f"; with `inputs` it sees {' x '.join(map(str, input_shape))}: mean and std have a number a channel"
            )
        yield Mistake(node.descendant((setting,)).location, f"{block_name}.{setting}", f"{error}{advice}")
        return
    shape.add_facts(dataset.input_shape, n_classes, facts, path)
    if facts.reason_alone is not None and shape.is_trained_by_steps:
        reader.add_note(f"Networks of {shape.factory} train one at a time: {facts.reason_alone}.")
    if facts.has_fixed_weights:
        reader.add_note(
            f"{shape.factory} starts from the same weights under every seed, so the initial weights of replicates are "
            f"equal, and their spread is smaller than it would be: does the factory set a seed, or load weights? "
            f"kdtune seeds torch, NumPy and Python before each call, so a factory needs no seed of its own."
        )


def find_distill_mistakes(distill: Distill, shape: ModuleShape, node: YamlNode) -> Iterator[Mistake]:
    """Find settings of the biases of an output layer, which a module of the user's may not have."""
    for name in ("bias_start", "bias_shift"):
        if getattr(distill, name):
            message = (
                f"changes the biases of the output layer, which kdtune does not know in {shape.factory}; leave it out"
            )
            yield Mistake(node.descendant((name,)).location, f"distill.{name}", message)


def _get_facts_path(
    shape: ModuleShape, input_shape: tuple[int, ...], n_classes: int, examples: Array | None, reader: InputReader
) -> str:
    """Return the path at which the facts of a module are kept: another torch may stack other modules."""
    code = [shape.factory, shape.args, shape.version, shape.list_file_hashes(), shape.is_trained_by_steps]
    known_fields = [field.name for field in dataclasses.fields(ModuleFacts)]
    content = None if examples is None else hash_array(examples)
    key = [*code, input_shape, n_classes, content, version("torch"), known_fields, PROBE_VERSION]
    digest = hashlib.blake2b(json.dumps(key, sort_keys=True).encode(), digest_size=10).hexdigest()
    return str(reader.inputs_folder / f"module-{digest}.json")


def _read_or_probe(
    path: str,
    shape: ModuleShape,
    input_shape: tuple[int, ...],
    n_classes: int,
    examples: Array | None,
    reader: InputReader,
) -> ModuleFacts:
    """Return what is known of a module; InputError or ValueError if it cannot be built or gives no logits."""
    kept_text = find_in_memory(path)
    if kept_text is None and Path(path).exists():
        kept_text = Path(path).read_text(encoding="utf-8", errors="replace")
    if kept_text is not None:
        with suppress(ValueError, TypeError):  # A damaged file is as good as none.
            return ModuleFacts(**json.loads(kept_text))
    assert reader.probe is not None, "modules of the user's need a reader that can probe them"
    facts: ModuleFacts = reader.probe(shape, input_shape, n_classes, examples)
    keep_in_memory(path, json.dumps(dataclasses.asdict(facts)))
    return facts
