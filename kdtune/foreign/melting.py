"""Write the command of pandas that brings a wide table into one row per run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from kdtune.columns import MODEL, STUDENT

_MARK = re.compile(r"[\W_]*(?<![a-zA-Z])(t|temps?|temperatures?|tau|kdt|seeds?|reps?|replicate|run|k?fold|trial|repeat|"
                   r"repetition|cv|s|r|attempt|init)?[\W_]*$", re.IGNORECASE)  # fmt: skip


class Family(NamedTuple):
    """Columns whose names differ in one number only."""

    prefix: str
    suffix: str
    columns: list[str]

    def list_numbers(self) -> list[str]:
        """Return the numbers in the names."""
        return [name[len(self.prefix) : len(name) - len(self.suffix)] for name in self.columns]


def name_measure(family: Family) -> str:
    """Return what is left of the names without the number and what says that it is a T or seed: acc of "acc@T=1"."""
    return f"{find_stem(family)}{family.suffix}".strip(" _-/.:@")


def find_stem(family: Family) -> str:
    """Return what stands before the number and its mark: acc of "acc@T="; "accT" has no mark that is a word."""
    prefix = re.sub(r"(?<=[a-z])T$", "_T", family.prefix)
    return family.prefix[: len(_MARK.sub("", prefix))]


def write_command(
    families: list[Family],
    others: list[str],
    variable: str,
    measure: str,
    left_out: Sequence[str] = (),
    roles: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Write a command with ``melt``, or for several measures with ``wide_to_long``.

    Parameters
    ----------
    families : The columns of each measure.
    others : The other columns, which each run of a row has.
    variable : The name of the new column with the numbers.
    measure : The name of the new column with the values of a single measure.
    left_out : The columns that shall not be there afterwards.
    roles : The columns with a single measure of other networks -> their role.
    """
    if len(families) > 1:
        return _write_wide_to_long(families, others, variable)
    (family,) = families
    dropped = [*left_out, *roles]
    frame = _write_names(family, [*others, *dropped], f".drop(columns={dropped})" if dropped else "")
    melted = f"{frame}.melt(id_vars={others}, var_name={variable!r}, value_name={measure!r})"
    if not roles:
        return melted
    parts = [f"{melted}.assign({MODEL}={STUDENT!r})"]
    levels = _write_levels([family])
    for name, role in roles.items():
        parts.append(f"{levels}[{[*others, name]}].rename(columns={{{name!r}: {measure!r}}}).assign({MODEL}={role!r})")
    return f"pandas.concat([{', '.join(parts)}], ignore_index=True)"


def _write_names(family: Family, others: list[str], step: str) -> str:
    """Write the frame whose columns are called by their numbers alone; a step goes before."""
    if not family.prefix and not family.suffix:
        return f"frame{step}"
    if any(name.startswith(family.prefix) and name.endswith(family.suffix) for name in others):
        new_names = dict(zip(family.columns, family.list_numbers(), strict=True))
        return f"frame{step}.rename(columns={new_names})"
    steps = f".removeprefix({family.prefix!r})" if family.prefix else ""
    steps += f".removesuffix({family.suffix!r})" if family.suffix else ""
    return f"{_write_levels([family])}{step}.rename(columns=lambda name: name{steps})"


def _write_levels(families: list[Family]) -> str:
    """Write the frame with names of one level, which those of a pivot are not: kdtune joins them by a slash."""
    if not all(family.prefix.endswith("/") for family in families):
        return "frame"
    names = "[name if isinstance(name, str) else '/'.join(map(str, name)).strip('/') for name in frame]"
    return f"frame.set_axis({names}, axis=1)"


def _write_wide_to_long(families: list[Family], others: list[str], variable: str) -> str:
    stems = [find_stem(family) for family in families]
    marks = [family.prefix[len(stem) :] for family, stem in zip(families, stems, strict=True)]
    suffixes = [family.suffix for family in families]
    frame = _write_levels(families)
    measures, mark = stems, marks[0]
    if any(suffixes) or len(set(marks)) > 1 or not all(stems):
        choices = ["|".join(dict.fromkeys(map(re.escape, parts))) for parts in (stems, marks, suffixes)]
        pattern = f"^({choices[0]})(?:{choices[1]})([0-9.]+)({choices[2]})$"
        frame += f".pipe(lambda f: f.set_axis(f.columns.str.replace({pattern!r}, r'\\1\\3@\\2', regex=True), axis=1))"
        measures, mark = [stem + suffix for stem, suffix in zip(stems, suffixes, strict=True)], "@"
    row = next(name for name in ("row", "row_number", "row_of_table") if name not in others)
    return (
        f"pandas.wide_to_long({frame}.assign({row}=range(len(frame))), {measures}, i={row!r}, j={variable!r}, "
        f"sep={mark!r}, suffix='[0-9.]+').droplevel({row!r}).reset_index()"
    )
