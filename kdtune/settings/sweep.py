"""The settings of a sweep file that belong to no block: its name, seed, replicates and resources."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from kdtune.settings.base import PositiveInt, Settings, WholeNumber, make_rule_error, to_whole_number

# No sweep may have these names: the folders of these names hold the teachers and inputs that all sweeps share.
_RESERVED_NAMES = ("teachers", "inputs")


class Replicates(Settings):
    """The numbers of draws of data, teacher and student. Replicate r uses draw r modulo the number of draws."""

    data: PositiveInt = 1
    """How many times the data are drawn, or cut into training, validation and test data."""
    teacher: PositiveInt = 1
    """How many times the teacher is trained, each time from other initial weights."""
    student: PositiveInt = 1
    """How many times each student is trained, each time from other initial weights."""

    @model_validator(mode="after")
    def _check_divisibility(self) -> Replicates:
        small, middle, large = sorted((self.data, self.teacher, self.student))
        if large % middle or middle % small:
            raise make_rule_error(
                f"{small}, {middle} and {large} do not divide one another, so that some draws would be "
                f"used more often than others; each count must divide the larger ones"
            )
        return self

    @property
    def count(self) -> int:
        """The number of replicates: the largest of the three counts."""
        return max(self.data, self.teacher, self.student)


class Resources(Settings):
    """The number of workers, and the cores and GPUs of each. ``share_cluster`` chooses those that are None.

    Without workers (``workers: 0``), the process that runs the sweep trains it.
    """

    cpus_per_worker: PositiveInt | None = None
    """The CPUs of each worker; by default 1, or on machines with GPUs the CPUs beside each worker's GPU."""
    gpus_per_worker: Annotated[float, Field(ge=0)] | None = None
    """The GPUs of each worker: a fraction shares one GPU among several workers, and 0 uses none. By default 1 where
    there is a GPU."""
    cpu_only_workers: Annotated[WholeNumber, Field(ge=0, le=10**9)] | None = None
    """Further workers without a GPU, in a cluster whose other workers have one. By default as many as its machines
    without a GPU hold."""
    workers: Annotated[WholeNumber, Field(ge=0, le=10**9)] | None = None
    """How many packs of networks train at the same time; 0 trains in the process that runs the sweep, without Ray. By
    default one for each CPU, or for each GPU."""


def _expand_count(value: Any) -> Any:
    """Turn ``replicates: 5`` into five draws of data, teacher and student together."""
    if isinstance(value, dict | Replicates):
        return value
    count = to_whole_number(value)
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= 10**9:
        raise make_rule_error(
            "must be a whole number from 1 to 1,000,000,000, or a block such as {data: 1, teacher: 1, student: 5}"
        )
    return {"data": count, "teacher": count, "student": count}


# Replicates as a sweep file writes them: a block or one number.
ReplicatesSetting = Annotated[
    Replicates, BeforeValidator(_expand_count, json_schema_input_type=PositiveInt | Replicates)
]


class SweepHeader(Settings):
    """The settings of a sweep file that belong to no block. They cannot be swept."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=100)]
    """The name of the sweep, and of its folder below the results."""
    seed: Annotated[WholeNumber, Field(ge=0, lt=2**63)] = 0
    """The seed from which all random numbers of the sweep follow."""
    replicates: ReplicatesSetting = Field(default_factory=Replicates)
    """How often the whole grid is trained, with other random numbers each time: one number, or one for data, teacher
    and student each."""
    select: Literal["num_error", "nll", "balanced_error"] = "num_error"
    """The measure on the validation split by which T is chosen. It changes no network, only what is said of them."""
    resources: Resources = Field(default_factory=Resources)
    """How many workers train, and what each of them has. The command line may say otherwise."""

    @model_validator(mode="after")
    def _check_name_is_free(self) -> SweepHeader:
        if self.name in _RESERVED_NAMES:
            raise make_rule_error(f"{self.name!r} is taken by what all sweeps share; choose another", "name")
        return self
