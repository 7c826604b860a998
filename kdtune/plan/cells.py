"""Group the distilled students of a sweep into cells: those of a cell differ in T and in the replicate only."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from functools import partial

from kdtune.plan.identity import select_hashed_settings, to_canonical_json
from kdtune.plan.network import Network
from kdtune.settings import Settings


def group_into_cells(networks: Iterable[Network]) -> list[list[Network]]:
    """Return the distilled students of each cell; teachers and baselines are left out."""
    # Networks share the objects of their settings, and serializing those of each of a million would take too long.
    texts: dict[tuple[int, bool], str] = {}

    def serialize(settings: Settings, without_temperature: bool = False) -> str:
        key = id(settings), without_temperature
        if key not in texts:
            hashed_settings = select_hashed_settings(settings)
            if without_temperature:
                del hashed_settings["T"]
            texts[key] = to_canonical_json(hashed_settings)
        return texts[key]

    serialize_loss = partial(serialize, without_temperature=True)
    cells: dict[Hashable, list[Network]] = {}
    for network in networks:
        teacher = network.teacher
        if teacher is None or network.distill is None:
            continue
        blocks = (network.data.settings, network.shape, network.train, teacher.shape, teacher.train)
        key = *map(serialize, blocks), serialize_loss(network.distill), network.transfer
        cells.setdefault(key, []).append(network)
    return list(cells.values())
