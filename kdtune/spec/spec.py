"""From a sweep file to a validated ``SweepSpec``; all mistakes at once, each with its line."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from kdtune.errors import Mistake, SweepFileError
from kdtune.settings import (
    RESERVED,
    AnyDataset,
    Distill,
    Head,
    Replicates,
    Resources,
    Shape,
    Train,
    Transfer,
)
from kdtune.spec import grid
from kdtune.spec.cross_checks import find_mismatches
from kdtune.spec.messages import describe_error
from kdtune.spec.overrides import apply_overrides
from kdtune.spec.schema import BLOCKS, KINDS, REQUIRED, list_known_settings
from kdtune.spec.yaml_tree import YamlNode, read_yaml_file
from kdtune.text import nearest

MAX_NETWORKS = 100_000


@dataclass(frozen=True, slots=True)
class Case:
    """One point of the grid: everything that names a distilled student but its replicate."""

    dataset: AnyDataset
    transfer: Transfer
    teacher: Shape
    teacher_train: Train
    student: Shape
    student_train: Train
    distill: Distill
    distill_train: Train


@dataclass(frozen=True, slots=True)
class BlockVariant:
    """One variant of a block: its settings (None if they are wrong), its place, its own ``train``."""

    settings: Any
    node: YamlNode
    train: YamlNode


@dataclass(frozen=True)
class SweepSpec:
    """A validated sweep. ``source`` is the file with its defaults filled in, grids and all."""

    name: str
    seed: int
    replicates: Replicates
    resources: Resources
    cases: list[Case]
    source: dict[str, Any]


def load_spec(
    path: Path, overrides: Sequence[str] = (), max_networks: int = MAX_NETWORKS, data_root: Path | None = None
) -> SweepSpec:
    """Read and validate a sweep file, and look at the files of its data.

    Parameters
    ----------
    path : the file.
    overrides : values that replace those of the file, as in ``"distill.T=[2, 4]"``.
    max_networks : the largest sweep that is accepted.
    data_root : where the files of data sets lie, whatever the sweep file says.

    Raises
    ------
    SweepFileError
        With every mistake in the file.
    """
    tree = read_yaml_file(path)
    if not isinstance(tree.value, dict):
        raise SweepFileError([Mistake(tree.location, "", "must be a mapping of settings, as in `name: fakeset`")])
    return _Validation(*apply_overrides(tree, overrides), max_networks, data_root).spec()


class _Validation:
    """One walk over a tree, collecting mistakes instead of stopping at the first."""

    def __init__(self, tree: YamlNode, mistakes: list[Mistake], max_networks: int, data_root: Path | None) -> None:
        self.tree = tree
        self.max_networks = max_networks
        self.context = {"data_root": data_root and str(data_root)}
        self.mistakes = mistakes
        self.trains: dict[tuple[int, ...], Train | None] = {}
        self.fits: set[tuple[int, ...]] = set()

    def spec(self) -> SweepSpec:
        self._keys()
        self._guard_size()
        self.mistakes += grid.find_grid_mistakes(self.tree)
        head = self._head()
        variants = {name: self._variants(name) for name in BLOCKS}
        cases = self._cases(variants)
        if self.mistakes or head is None:
            raise SweepFileError(sorted(self.mistakes, key=_by_line))
        source = {**head.model_dump(exclude_none=True), **self._filled(variants)}
        return SweepSpec(head.name, head.seed, head.replicates, head.resources, cases, source)

    def _keys(self) -> None:
        all_keys = [*Head.model_fields, *BLOCKS]
        for key, node in self.tree.value.items():
            if key not in all_keys:
                self.mistakes.append(Mistake(node.location, key, f"is no setting here; {nearest(key, all_keys)}"))
        for field in ("train.eval_every", *(f"{b}.train.eval_every" for b in ("teacher", "student", "distill"))):
            node = _found(self.tree, field.split("."))
            if node is not None and grid.is_grid(node):
                message = "cannot be swept, since it changes no network; give one value"
                self.mistakes.append(Mistake(node.location, field, message))
        for key in REQUIRED:
            if key not in self.tree.value:
                self.mistakes.append(Mistake(self.tree.location, key, "is missing; it has no default"))

    def _head(self) -> Head | None:
        own = {key: node for key, node in self.tree.value.items() if key in Head.model_fields}
        for key, node in own.items():
            if grid.has_grid(node):
                self.mistakes.append(Mistake(node.location, key, "cannot be swept; give one value"))
                return None
        if "name" not in own:
            return None  # already said
        head = self._check(TypeAdapter(Head), YamlNode(own, self.tree.location), "")
        if isinstance(head, Head):
            if head.name in RESERVED:
                self.mistakes.append(
                    Mistake(
                        own["name"].location, "name", f"{head.name!r} is taken by the shared teachers; choose another"
                    )
                )
            return head
        return None

    def _guard_size(self) -> None:
        """Refuse a grid that is too large before it is expanded."""
        given = self.tree.value.get("replicates", YamlNode(1, "")).to_plain()
        counts = given.values() if isinstance(given, dict) else [given]
        replicates = max([1, *(n for n in counts if isinstance(n, int))])
        blocks = (self.tree.value[name] for name in BLOCKS if name in self.tree.value)
        networks = math.prod(grid.count_variants(block) for block in blocks) * replicates
        if networks > self.max_networks:
            message = f"asks for {networks:,} students or more, over the limit of {self.max_networks:,} networks"
            self.mistakes.append(Mistake(self.tree.location, "", f"{message}; shrink the grid or raise --max-networks"))
            raise SweepFileError(self.mistakes)

    def _variants(self, name: str) -> list[BlockVariant]:
        """Every variant of a block, the wrong ones without settings."""
        if name not in self.tree.value and name in REQUIRED:
            return [BlockVariant(None, self.tree, _nothing(self.tree.location))]
        adapter = TypeAdapter(BLOCKS[name])
        found = []
        for node in grid.expand_grid(self.tree.value.get(name, _nothing(self.tree.location))):
            own, train = node, _nothing(node.location)
            if name in ("teacher", "student", "distill") and isinstance(node.value, dict):
                own = YamlNode({k: v for k, v in node.value.items() if k != "train"}, node.location)
                train = node.value.get("train", train)
            # A train block may be incomplete or overridden: it is checked where it is put together.
            settings = None if name == "train" else self._check(adapter, own, name)
            found.append(BlockVariant(settings, node, train))
        return found

    def _cases(self, variants: dict[str, list[BlockVariant]]) -> list[Case]:
        cases = []
        for data, transfer, base, teacher, student, distill in itertools.product(*variants.values()):
            trains = (
                self._train(base.node, ("teacher", teacher.train)),
                self._train(base.node, ("student", student.train)),
                self._train(base.node, ("student", student.train), ("distill", distill.train)),
            )
            layers: list[list[tuple[str, YamlNode]]] = [
                [("teacher.train", teacher.train)],
                [("student.train", student.train)],
                [("student.train", student.train), ("distill.train", distill.train)],
            ]
            for train, over in zip(trains, layers, strict=True):
                self._fit(data.settings, train, [("train", base.node), *over])
            self._together(data, transfer, teacher, student, distill)
            settings = (data.settings, transfer.settings, teacher.settings, trains[0], student.settings, trains[1])
            if all(settings) and distill.settings and trains[2]:
                cases.append(Case(*settings, distill.settings, trains[2]))  # type: ignore[arg-type]
        return cases

    def _together(self, data: BlockVariant, *others: BlockVariant) -> None:
        """What the other blocks say must be true of the data; each pair is looked at once."""
        for name, other in zip(("transfer", "teacher", "student", "distill"), others, strict=True):
            key = id(data), id(other)
            if data.settings is not None and other.settings is not None and key not in self.fits:
                self.fits.add(key)
                self.mistakes += find_mismatches(data.settings, name, other.settings, other.node)

    def _train(self, base: YamlNode, *overriding: tuple[str, YamlNode]) -> Train | None:
        """The ``train`` block with the overriding blocks laid over it."""
        layers = [(name, node) for name, node in overriding if node.value != {}]
        key = (id(base), *(id(node) for _, node in layers))  # the tree outlives this table of its nodes
        if key not in self.trains:
            merged = dict(base.value) if isinstance(base.value, dict) else {}
            for name, node in layers:
                if not isinstance(node.value, dict):
                    message = "must be a block of settings, as in {epochs: 20}"
                    self.mistakes.append(Mistake(node.location, f"{name}.train", message))
                    break
                merged |= node.value
            over = {f"{name}.train": node for name, node in layers if isinstance(node.value, dict)}
            tree = YamlNode(merged if over or isinstance(base.value, dict) else base.value, base.location)
            self.trains[key] = self._check(TypeAdapter(Train), tree, "train", over)
        return self.trains[key]

    def _fit(self, data: Any, train: Train | None, layers: list[tuple[str, YamlNode]]) -> None:
        """A batch may not be larger than the data."""
        if train is None or data is None or (id(data), id(train)) in self.fits:
            return
        self.fits.add((id(data), id(train)))
        if train.batch_size > data.n_train:
            blocks = [(name, node) for name, node in layers if isinstance(node.value, dict)]
            field, node = next(((f, n) for f, n in reversed(blocks) if "batch_size" in n.value), layers[0])
            most = f"is more than the {data.n_train} training examples; at most {data.n_train} is right"
            where = node.descendant(("batch_size",)).location
            self.mistakes.append(Mistake(where, f"{field}.batch_size", f"{train.batch_size} {most}"))

    def _check(
        self, adapter: TypeAdapter[Any], node: YamlNode, block: str, over: dict[str, YamlNode] | None = None
    ) -> Any:
        """Validate one block; None and a mistake or more where it is wrong.

        ``over`` are blocks laid over this one: a mistake that comes from one of them bears its name.
        """
        try:
            return adapter.validate_python(node.to_plain(), context=self.context)
        except ValidationError as error:
            for item in error.errors():
                tagged = item["loc"][:1] and item["loc"][0] in KINDS.get(block, {})
                path = item["loc"][1:] if tagged else item["loc"]
                if node.descendant(path).value is grid.BROKEN and item["type"] != "extra_forbidden":
                    continue
                if item["type"] in ("union_tag_not_found", "union_tag_invalid"):
                    path = (*path, "kind")
                if block == "dataset" and path == () and not isinstance(node.value, dict):
                    item["type"] = "dict_type"
                if setting := item.get("ctx", {}).get("setting"):
                    path = (*path, setting)
                source = next((n for n, o in reversed((over or {}).items()) if path[:1] and path[0] in o.value), block)
                field = ".".join(str(part) for part in (source, *path) if part != "")
                message = describe_error(item, list_known_settings(block, node, path))
                self.mistakes.append(Mistake(node.descendant(path).location, field, message))
            return None

    def _filled(self, variants: dict[str, list[BlockVariant]]) -> dict[str, Any]:
        """Each block as it was written, with the defaults that all of its variants share."""
        filled = {}
        for name, found in variants.items():
            node = self.tree.value.get(name)
            written = node.to_plain() if node is not None else {}
            settings = self.trains.values() if name == "train" else [variant.settings for variant in found]
            dumps = [
                s.model_dump(exclude={"depth", "width", "root"}, exclude_none=True) for s in settings if s is not None
            ]
            if grid.GRID not in written:
                given = set(written) | ({"hidden"} if {"depth", "width"} & set(written) else set())
                shared = {k: v for k, v in dumps[0].items() if all(d.get(k) == v for d in dumps[1:])}
                written = {**written, **{k: v for k, v in shared.items() if k not in given}}
            if written or name != "transfer":
                filled[name] = written
        return filled


def _found(node: YamlNode, steps: list[str]) -> YamlNode | None:
    """What stands at the end of these steps, if anything does."""
    for step in steps:
        if not isinstance(node.value, dict) or step not in node.value:
            return None
        node = node.value[step]
    return node


def _nothing(where: str) -> YamlNode:
    return YamlNode({}, where)


def _by_line(mistake: Mistake) -> tuple[str, int]:
    name, _, line = mistake.location.rpartition(":")
    return (name, int(line)) if line.isdigit() else (mistake.location, 0)
