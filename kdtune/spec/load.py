"""Read and validate a sweep file, and report all of its mistakes at once, each with its line."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import TypeAdapter

from kdtune.errors import Mistake, SweepFileError
from kdtune.inputs.reader import InputReader, Probe
from kdtune.settings import SweepHeader
from kdtune.spec.block_validation import BlockValidator
from kdtune.spec.cases import build_cases
from kdtune.spec.cross_checks import find_mismatches, find_needless_replicates
from kdtune.spec.data_notes import describe_data
from kdtune.spec.default_filling import fill_defaults
from kdtune.spec.eval_every import find_lost_eval_every, find_swept_eval_every
from kdtune.spec.form_suggestions import REPLICATES_HINT
from kdtune.spec.grid import find_grid_mistakes, has_grid
from kdtune.spec.mistakes import MistakeCollector
from kdtune.spec.overrides import apply_overrides
from kdtune.spec.schema import BLOCKS, REQUIRED_BLOCKS, list_paths_elsewhere
from kdtune.spec.size_limits import MAX_NETWORKS, SizeLimit
from kdtune.spec.suggestions import find_meant_setting, suggest_setting
from kdtune.spec.sweep_spec import SweepSpec
from kdtune.spec.train_merging import TrainMerger
from kdtune.spec.variants import BlockVariant, VariantMaker
from kdtune.spec.yaml_tree import YamlNode, read_yaml_file


def load_spec(
    source: Path | YamlNode,
    overrides: Sequence[str] = (),
    max_networks: int = MAX_NETWORKS,
    data_root: Path | None = None,
    allow_download: bool = True,
    inputs_folder: Path | None = None,
    probe: Probe | None = None,
    sent_paths: Mapping[str, Path] | None = None,
) -> SweepSpec:
    """Read and validate a sweep file, and inspect the files of its data.

    Parameters
    ----------
    source : The sweep file, or the tree of one.
    overrides : Values that replace those of the file, as in ``"distill.T=[2, 4]"``.
    max_networks : The largest number of networks that is accepted.
    data_root : The folder of the data sets' files, whatever the sweep file says; None to follow the sweep file.
    allow_download : Whether missing files of data sets may be downloaded.
    inputs_folder : The folder ``inputs`` of the results; None for ``results/inputs``.
    probe : Tries a module of the user's on random examples; it needs torch, which validation does not import.
    sent_paths : Where files lie that came with the sweep from another machine, by their paths in the sweep file.

    Raises
    ------
    SweepFileError
        If there is any mistake in the file; the error holds all of them.
    """
    tree = source if isinstance(source, YamlNode) else read_yaml_file(source)
    if not isinstance(tree.value, dict):
        raise SweepFileError([Mistake(tree.location, "", "must be a mapping of settings, as in `name: fakeset`")])
    mistakes = MistakeCollector()
    tree = apply_overrides(tree, overrides, mistakes)
    reader = InputReader(None if isinstance(source, YamlNode) else source.parent, inputs_folder, probe, sent_paths)
    validator = BlockValidator(data_root, allow_download, mistakes, reader)
    mistakes.extend(_find_unknown_names(tree))
    mistakes.extend(_find_missing_blocks(tree))
    mistakes.extend(_find_swept_header_settings(tree))
    mistakes.extend(find_swept_eval_every(tree))
    header = _validate_header(tree, validator)
    # The steps below take longer for larger sweeps, so the size is checked first.
    size_limit = SizeLimit(tree, max_networks, mistakes)
    for block_name in BLOCKS:
        if block_name in tree.value:
            mistakes.extend(find_grid_mistakes(tree.value[block_name], block_name))
    variants = VariantMaker(validator, size_limit, mistakes).make_variants(tree)
    _count_transfer_classes(variants, size_limit)
    train_merger = TrainMerger(validator, size_limit)
    cases = build_cases(variants, train_merger)
    mistakes.extend(find_mismatches(variants, train_merger, reader))
    if header is not None:
        location = tree.descendant(("replicates",)).location
        mistakes.extend(find_needless_replicates(header.replicates, variants, location))
    if len(mistakes) == 0:  # Networks can be compared only if all of them are valid.
        mistakes.extend(find_lost_eval_every(cases, train_merger))
    if header is None or len(mistakes) > 0:
        mistakes.raise_error()
    reader.add_notes(describe_data(cases))
    filled_sweep = fill_defaults(tree, header, variants, train_merger.merged_settings)
    return SweepSpec(
        header.name,
        header.seed,
        header.replicates,
        header.select,
        header.resources,
        cases,
        filled_sweep,
        tuple(reader.notes),
        source_paths=tuple(dict.fromkeys(reader.source_paths)),
        located_paths=tuple(reader.located_paths.items()),
    )


def _find_unknown_names(tree: YamlNode) -> Iterator[Mistake]:
    """Find names at the top of the file that are neither a setting nor a block."""
    valid_names = [*SweepHeader.model_fields, *BLOCKS]
    for name, node in tree.value.items():
        if name not in valid_names:
            suggestion = suggest_setting(name, valid_names, list_paths_elsewhere(""))
            yield Mistake(node.location, name, f"is not a setting here; {suggestion}")


def _find_missing_blocks(tree: YamlNode) -> Iterator[Mistake]:
    valid_names = [*SweepHeader.model_fields, *BLOCKS]
    # A block under a wrong name is reported as that alone.
    meant_names = {find_meant_setting(name, valid_names) for name in tree.value if name not in valid_names}
    for block_name in REQUIRED_BLOCKS:
        if block_name not in tree.value and block_name not in meant_names:
            yield Mistake(tree.location, block_name, "is missing; it has no default")


def _find_swept_header_settings(tree: YamlNode) -> Iterator[Mistake]:
    """Find grids in the settings that belong to no block: these cannot be swept."""
    for name in SweepHeader.model_fields:
        if name in tree.value and has_grid(tree.value[name]):
            message = "cannot be swept; give one value"
            if name == "seed":
                message += f"; {REPLICATES_HINT}"
            yield Mistake(tree.value[name].location, name, message)


def _validate_header(tree: YamlNode, validator: BlockValidator) -> SweepHeader | None:
    """Return the settings that belong to no block; None if any are wrong or swept."""
    written_settings = {name: node for name, node in tree.value.items() if name in SweepHeader.model_fields}
    if any(has_grid(node) for node in written_settings.values()):
        return None  # ``_find_swept_header_settings`` reports it.
    header: SweepHeader | None = validator.validate(
        TypeAdapter(SweepHeader), YamlNode(written_settings, tree.location), ""
    )
    return header


def _count_transfer_classes(variants: Mapping[str, Sequence[BlockVariant]], size_limit: SizeLimit) -> None:
    """Add the classes of the transfer sets, which the checks and the plan enumerate, to the limited counts."""
    n_students = size_limit.count_students_per_variant("dataset", "transfer")
    for dataset, transfer in itertools.product(variants["dataset"], variants["transfer"]):
        if dataset.settings is None or transfer.settings is None:
            continue
        if transfer.settings.written_classes:
            size_limit.add("classes of transfer sets", dataset.settings.n_classes * n_students)
