"""What a sweep file says beside its blocks."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from kdtune.settings.base import Positive, Settings, Whole, make_rule_error, to_whole_number


class Replicates(Settings):
    """How often data, teacher and student are redrawn. Replicate r uses draw r modulo its count."""

    data: Positive = 1
    teacher: Positive = 1
    student: Positive = 1

    @model_validator(mode="after")
    def _divide(self) -> Replicates:
        small, middle, large = sorted((self.data, self.teacher, self.student))
        if large % middle or middle % small:
            raise make_rule_error(
                f"{small}, {middle} and {large} do not divide one another, so that some draws would be "
                f"used more often than others; each count must divide the larger ones"
            )
        return self

    @property
    def count(self) -> int:
        return max(self.data, self.teacher, self.student)


class Resources(Settings):
    """What one worker takes. None stands for: one core; an equal share of the GPUs, if there are any."""

    cpus_per_worker: Positive | None = None
    gpus_per_worker: Annotated[float, Field(ge=0)] | None = None
    workers: Positive | None = None


def _together(value: Any) -> Any:
    """``replicates: 5`` redraws data, teacher and student together."""
    if isinstance(value, dict | Replicates):
        return value
    count = to_whole_number(value)
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= 10**9:
        raise make_rule_error(
            "must be a whole number of at least 1, or a block such as {data: 1, teacher: 1, student: 5}"
        )
    return {"data": count, "teacher": count, "student": count}


# The folder beside the sweeps that holds the teachers of all of them.
RESERVED = ("teachers",)


class Head(Settings):
    """What a sweep file says beside its blocks."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=100)]
    seed: Annotated[Whole, Field(ge=0, lt=2**63)] = 0
    replicates: Annotated[Replicates, BeforeValidator(_together)] = Field(default_factory=Replicates)
    resources: Resources = Field(default_factory=Resources)
