"""A results folder as the tests read it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

import kdtune as package
from kdtune.columns import DEVICE, HOST, SECONDS
from kdtune.plan.packing import PackLimits
from kdtune.plan.plan import enumerate_networks, make_plan
from kdtune.results.store import Store
from kdtune.spec.spec import load_spec
from kdtune.table import select_networks, to_frame
from kdtune.train.train_pack import train_pack

# What may differ between an interrupted and an uninterrupted run.
TIMES_AND_HOSTS = [SECONDS, DEVICE, HOST]


def table(folder: Path) -> pd.DataFrame:
    return package.read_table(folder)


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    # A column of whole numbers is of another dtype where some of them are null; one of nothing else may be absent.
    one, other = (frame.drop(columns=TIMES_AND_HOSTS).dropna(axis=1, how="all") for frame in (one, other))
    pd.testing.assert_frame_equal(one, other, check_dtype=False, check_exact=True)


def parts(folder: Path) -> list[Path]:
    return list((folder / "parts").glob("[!.]*.parquet"))


def alone(sweep_file: Path, overrides: tuple[str, ...] = ()) -> pd.DataFrame:
    """A sweep's rows without Ray, files or packs: each network trained alone, in this process."""
    store = Store(sweep_file.parent, "alone")
    store.prepare()
    plan = make_plan(list(enumerate_networks(load_spec(sweep_file, overrides))), limits=PackLimits(networks=1))
    for pack in plan.packs:
        store.save(pack.id, train_pack(pack, store.teacher_logits))
    return to_frame(select_networks(store.rows(), [network.id for network in plan.networks]))
