"""A results folder as the tests read it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

import kdtune as package
from kdtune.columns import DEVICE, HOST, SECONDS
from kdtune.plan.enumerate_networks import enumerate_networks
from kdtune.plan.packing import PackLimits
from kdtune.plan.plan import make_plan
from kdtune.results.store import Store
from kdtune.spec.load import load_spec
from kdtune.table import select_networks, to_frame
from kdtune.train.train_pack import train_pack

# What may differ between an interrupted and an uninterrupted run.
TIMES_AND_HOSTS = [SECONDS, DEVICE, HOST]


def table(folder: Path) -> pd.DataFrame:
    """Read the table of a sweep's folder."""
    return package.read_table(folder)


def assert_same_rows(left: pd.DataFrame, right: pd.DataFrame) -> None:
    """Compare two tables to the bit, but for the times and hosts of the training."""
    # Integers have another dtype where some of them are null; a column of nulls may be absent.
    left, right = (frame.drop(columns=TIMES_AND_HOSTS).dropna(axis=1, how="all") for frame in (left, right))
    pd.testing.assert_frame_equal(left, right, check_dtype=False, check_exact=True)


def parts(folder: Path) -> list[Path]:
    """List the part files of a sweep's folder."""
    return list((folder / "parts").glob("[!.]*.parquet"))


def train_alone(sweep_file: Path, overrides: tuple[str, ...] = ()) -> pd.DataFrame:
    """Train a sweep without Ray and without packs, each network alone in this process, and return its table."""
    store = Store(sweep_file.parent, "alone")
    plan = make_plan(list(enumerate_networks(load_spec(sweep_file, overrides))), limits=PackLimits(max_networks=1))
    for pack in plan.packs:
        store.save_pack(pack.id, train_pack(pack, store.teachers.load_logits))
    return to_frame(select_networks(store.read_rows(), [network.id for network in plan.networks]))
