"""A cluster that starts machines for what waits: Ray's own autoscaler, with machines that are processes here."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import start_cluster
from tests.test_placement import run_in_places

pytestmark = [pytest.mark.xdist_group("jobs"), pytest.mark.slow]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a cluster whose head trains nothing, and which has no other machine at first."""
    folder = tempfile.mkdtemp(prefix="kdtune-grow-", dir="/tmp")  # A path of pytest's is too long for Ray's sockets.
    config = Path(folder) / "autoscaling.json"
    machine = {"node_config": {}, "min_workers": 0, "max_workers": 1}
    tree = {
        "cluster_name": "growing",
        "max_workers": 2,
        "provider": {"type": "fake_multinode"},
        "auth": {},
        "head_node_type": "head",
        "available_node_types": {
            "head": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
            "with_gpu": {"resources": {"CPU": 1, "GPU": 1}, **machine},
            "without_gpu": {"resources": {"CPU": 1}, **machine},
        },
        "upscaling_speed": 1.0,
        "idle_timeout_minutes": 5,
    }
    config.write_text(json.dumps(tree))
    variables = {
        "RAY_TMPDIR": folder,
        "RAY_AUTH_MODE": "disabled",
        "RAY_FAKE_CLUSTER": "1",
        "RAY_enable_autoscaler_v2": "0",
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
    }
    with start_cluster(n_nodes=1, head_options=["--num-cpus=0", f"--autoscaling-config={config}"], **variables) as it:
        yield it
    shutil.rmtree(folder, ignore_errors=True)


def test_machines_of_both_kinds_are_started_for_the_packs_that_wait(
    address: str, plan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    places, _ = run_in_places(address, plan, tmp_path, seconds=3, workers=1, gpus_per_worker=1.0, cpu_only_workers=1)
    assert {gpus for _, gpus in places} == {"0", "1"}
    assert len({node for node, _ in places}) == 2
