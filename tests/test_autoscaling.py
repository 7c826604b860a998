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
HEAD = "f" * 51 + "00000"  # the id of the head in Ray's pretended clusters
# By its module: what Ray calls "fake_multinode" wants a file that its wheel does not have.
PROVIDER = "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a cluster whose head trains nothing, and which has no other machine at first."""
    folder = tempfile.mkdtemp(prefix="kdtune-grow-", dir="/tmp")  # A path of pytest's is too long for Ray's sockets.
    config = Path(folder) / "autoscaling.json"
    machine = {"node_config": {}, "min_workers": 0, "max_workers": 1}
    tree = {
        "cluster_name": "growing",
        "max_workers": 2,
        "provider": {"type": "external", "module": PROVIDER, "launch_multiple": True, "head_node_id": HEAD},
        "auth": {},
        "head_node_type": "ray.head.default",
        "available_node_types": {
            "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
            "with_gpu": {"resources": {"CPU": 1, "GPU": 1}, **machine},
            "without_gpu": {"resources": {"CPU": 1}, **machine},
        },
        "upscaling_speed": 1.0,
        "idle_timeout_minutes": 5,
        "file_mounts": {},
        "cluster_synced_files": [],
        "initialization_commands": [],
        **{f"{name}setup_commands": [] for name in ("", "head_", "worker_")},
        **{f"{name}_start_ray_commands": [] for name in ("head", "worker")},
    }
    config.write_text(json.dumps(tree))
    variables = {
        "RAY_TMPDIR": folder,
        "RAY_AUTH_MODE": "disabled",
        "RAY_FAKE_CLUSTER": "1",
        "RAY_enable_autoscaler_v2": "1",
        "RAY_CLOUD_INSTANCE_ID": HEAD,
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD,
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
    }
    options = ["--num-cpus=0", f"--autoscaling-config={config}"]
    # The machines that are started look for their head at this port.
    with start_cluster(n_nodes=1, address="127.0.0.1:6379", head_options=options, **variables) as address:
        yield address
    shutil.rmtree(folder, ignore_errors=True)


def test_machines_of_both_kinds_are_started_for_the_packs_that_wait(
    address: str, plan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    places, _ = run_in_places(address, plan, tmp_path, seconds=3, workers=1, gpus_per_worker=1.0, cpu_only_workers=1)
    assert {gpus for _, gpus in places} == {"0", "1"}
    assert len({node for node, _ in places}) == 2
