"""From a sweep file to a validated ``SweepSpec``; all mistakes at once, each with its line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import TypeAdapter

from kdtune.errors import Mistake, SweepFileError
from kdtune.settings import RESERVED_NAMES, SweepHeader
from kdtune.spec.block_validation import BlockValidator
from kdtune.spec.cases import CaseBuilder
from kdtune.spec.default_filling import fill_defaults
from kdtune.spec.grid import find_grid_mistakes, has_grid
from kdtune.spec.overrides import apply_overrides
from kdtune.spec.schema import BLOCKS, BLOCKS_WITH_TRAIN, REQUIRED_BLOCKS
from kdtune.spec.size_limits import MAX_NETWORKS, SizeLimit
from kdtune.spec.suggestions import suggest_setting
from kdtune.spec.sweep_spec import SweepSpec
from kdtune.spec.train_merging import TrainMerger
from kdtune.spec.variants import make_variants
from kdtune.spec.yaml_tree import YamlNode, read_yaml_file


def load_spec(
    path: Path,
    overrides: Sequence[str] = (),
    max_networks: int = MAX_NETWORKS,
    data_root: Path | None = None,
    allow_download: bool = True,
) -> SweepSpec:
    """Read and validate a sweep file, and inspect the files of its data.

    Parameters
    ----------
    path : the sweep file.
    overrides : values that replace those of the file, as in ``"distill.T=[2, 4]"``.
    max_networks : the largest sweep that is accepted.
    data_root : where the files of data sets lie, whatever the sweep file says.
    allow_download : whether files of data sets that are missing may be downloaded.

    Raises
    ------
    SweepFileError
        With every mistake in the file.
    """
    tree = read_yaml_file(path)
    if not isinstance(tree.value, dict):
        raise SweepFileError([Mistake(tree.location, "", "must be a mapping of settings, as in `name: fakeset`")])
    tree, mistakes = apply_overrides(tree, overrides)
    validator = BlockValidator(None if data_root is None else str(data_root), allow_download, mistakes)
    try:
        return _validate_sweep(tree, max_networks, validator)
    except SweepFileError as error:
        raise SweepFileError(sorted(error.mistakes, key=_get_sort_key)) from None


def _validate_sweep(tree: YamlNode, max_networks: int, validator: BlockValidator) -> SweepSpec:
    mistakes = validator.mistakes
    mistakes += _find_wrong_names(tree)
    mistakes += _find_forbidden_grids(tree)
    header = _validate_header(tree, validator)
    # All that follows takes as long as the sweep is large, so that its size is checked first.
    size_limit = SizeLimit(tree, max_networks, mistakes)
    for block in BLOCKS:
        if block in tree.value:
            mistakes += find_grid_mistakes(tree.value[block], block)
    variants = make_variants(tree, validator, size_limit)
    trains = TrainMerger(validator, size_limit)
    cases = CaseBuilder(trains, size_limit, mistakes).build_cases(variants)
    if mistakes or header is None:
        raise SweepFileError(mistakes)
    source = fill_defaults(tree, header, variants, trains.merged_settings)
    return SweepSpec(header.name, header.seed, header.replicates, header.resources, cases, source)


def _find_wrong_names(tree: YamlNode) -> Iterator[Mistake]:
    """Find settings that do not exist at the top of the file, and required blocks that are missing."""
    valid_names = [*SweepHeader.model_fields, *BLOCKS]
    for name, node in tree.value.items():
        if name not in valid_names:
            yield Mistake(node.location, name, f"is not a setting here; {suggest_setting(name, valid_names)}")
    for name in REQUIRED_BLOCKS:
        if name not in tree.value:
            yield Mistake(tree.location, name, "is missing; it has no default")


def _find_forbidden_grids(tree: YamlNode) -> Iterator[Mistake]:
    """Find grids of settings that cannot be swept."""
    for name in SweepHeader.model_fields:
        if name in tree.value and has_grid(tree.value[name]):
            yield Mistake(tree.value[name].location, name, "cannot be swept; give one value")
    for block in ("train", *(f"{block}.train" for block in BLOCKS_WITH_TRAIN)):
        node = tree.find([*block.split("."), "eval_every"])
        if node is not None and has_grid(node):
            message = "cannot be swept, since it changes no network; give one value"
            yield Mistake(node.location, f"{block}.eval_every", message)


def _validate_header(tree: YamlNode, validator: BlockValidator) -> SweepHeader | None:
    """Return the settings that belong to no block; None if they are wrong or cannot be judged."""
    written_settings = {name: node for name, node in tree.value.items() if name in SweepHeader.model_fields}
    if any(has_grid(node) for node in written_settings.values()):
        return None  # ``_find_forbidden_grids`` reports it.
    header = validator.validate(TypeAdapter(SweepHeader), YamlNode(written_settings, tree.location), "")
    if not isinstance(header, SweepHeader):
        return None
    if header.name in RESERVED_NAMES:
        message = f"{header.name!r} is taken by the shared teachers; choose another"
        validator.mistakes.append(Mistake(written_settings["name"].location, "name", message))
    return header


def _get_sort_key(mistake: Mistake) -> tuple[bool, str, int]:
    """Return the key by which mistakes are sorted: by file and line; those without a location come last."""
    name, _, line = mistake.location.rpartition(":")
    if line.isdecimal():
        return False, name, int(line)
    return not mistake.location, mistake.location, 0
