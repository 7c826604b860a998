"""The request of a user to run or plan a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from kdtune.errors import RequestError
from kdtune.objects.places import find_root
from kdtune.objects.urls import is_object_url, parse_object_url
from kdtune.run.addresses import parse_address
from kdtune.run.patience import Patience
from kdtune.settings import Precision, Resources
from kdtune.spec.size_limits import MAX_NETWORKS
from kdtune.spec.yaml_tree import YamlNode

Keep = Literal["auto", "none", "best", "all"]


@dataclass(frozen=True)
class Request:
    """A sweep file, the values that replace some of its own, and where and how to run it.

    Raises
    ------
    RequestError
        If a value is not valid by itself.
    """

    file: Path | YamlNode  # the sweep file, or the tree of a sweep that is written in Python
    overrides: Sequence[str] = ()  # as in "distill.T=[2, 4]"
    results: Path | str = Path("results")  # a folder, or the URL of a place in an object store
    data_root: Path | None = None  # of data sets in files; replaces that of the sweep file
    resources: Resources = field(default_factory=Resources)  # replace those of the sweep file
    pack: int | None = None  # largest number of networks in a pack
    precision: Precision | None = None  # of the whole sweep, except for blocks of the file that set their own
    address: str | None = None  # of a Ray cluster; None starts a Ray on this machine
    retries: int = 3  # of a pack, in all, after crashes of its worker
    patience: Patience = field(default_factory=Patience)  # with a Ray that dies, or a cluster that does not answer
    keep_students: Keep = "auto"  # which students' weights are kept; auto: all if they take little, else the best
    fresh: bool = False  # remove the results of earlier runs of this sweep first
    fresh_teachers: bool = False  # remove the teachers of this sweep first
    max_networks: int = MAX_NETWORKS
    waits: bool = False  # for another driver of this sweep, if there is one
    verbose: bool = False
    notes: tuple[str, ...] = ()  # what was assumed in what the user gave, as sentences

    def __post_init__(self) -> None:
        if isinstance(self.overrides, str):
            raise RequestError(f"set must be a list of texts, as in ['distill.T=[2, 4]'], not {self.overrides!r}")
        if self.pack is not None:
            _check_whole_number("pack", self.pack, minimum=1)
        _check_whole_number("retries", self.retries, minimum=0)
        _check_whole_number("max_networks", self.max_networks, minimum=1)
        for name in ("fresh", "fresh_teachers", "waits", "verbose"):
            if not isinstance(getattr(self, name), bool):
                raise RequestError(f"{name} must be True or False, not {getattr(self, name)!r}")
        if is_object_url(self.results):
            object.__setattr__(self, "results", parse_object_url(self.results))
        if self.keep_students not in get_args(Keep):
            raise RequestError(f"keep_students must be auto, none, best or all, not {self.keep_students!r}")
        if self.precision is not None and self.precision not in get_args(Precision):
            raise RequestError(f"precision must be {' or '.join(get_args(Precision))}, not {self.precision!r}")
        if self.address is not None:
            if not isinstance(self.address, str):
                raise RequestError(f"address must be text, as in '10.0.0.1:6379', not {self.address!r}")
            parse_address(self.address)

    @property
    def root(self) -> Path:
        """The folder of results on this machine: of those in an object store, its mirror."""
        return find_root(self.results)

    @property
    def file_name(self) -> str:
        """The name of the sweep file in messages; empty if there is none."""
        return "" if isinstance(self.file, YamlNode) else str(self.file)

    @property
    def all_overrides(self) -> list[str]:
        """All settings that replace those of the file; of two for the same setting the later one counts."""
        if self.precision is None:
            return list(self.overrides)
        return [f"train.precision={self.precision}", *self.overrides]


def _check_whole_number(name: str, value: object, minimum: int) -> None:
    """Raise RequestError if a value is no whole number of at least ``minimum``; True and 1.5 are none."""
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise RequestError(f"{name} must be a whole number of at least {minimum}, not {value!r}")
