"""The RayCluster for Kubernetes, against the schema of KubeRay's own definition of one."""

from __future__ import annotations

import copy
import gzip
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from tests.slurm_jobs import OWN_PROCESSES, has_own_processes

ROOT = Path(__file__).parent.parent
SCHEMA = Path(__file__).parent / "data/kuberay_raycluster_v1.7.0.json.gz"
DOCUMENTS = list(YAML(typ="safe", pure=True).load_all((ROOT / "clusters/kuberay.yaml").read_text(encoding="utf-8")))
CLUSTER = next(document for document in DOCUMENTS if document["kind"] == "RayCluster")
HEAD = CLUSTER["spec"]["headGroupSpec"]
WORKERS = CLUSTER["spec"]["workerGroupSpecs"]
CONTAINERS = [group["template"]["spec"]["containers"][0] for group in (HEAD, *WORKERS)]


def make_strict(schema: dict[str, Any]) -> dict[str, Any]:
    """Turn a schema of Kubernetes into a JSON schema that refuses unknown fields, which Kubernetes drops in silence."""
    strict = dict(schema)
    if "properties" in schema:
        strict["properties"] = {name: make_strict(value) for name, value in schema["properties"].items()}
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            strict[name] = make_strict(schema[name])
    is_open = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if "properties" in schema and not is_open:
        strict["additionalProperties"] = False
    return strict


@pytest.fixture(scope="module")
def check() -> Callable[[Any], None]:
    """Raise a ValidationError if a RayCluster is not one."""
    schema = make_strict(json.loads(gzip.decompress(SCHEMA.read_bytes()))["schema"])
    # Kubernetes gives `metadata` its own schema, which the definition leaves out.
    schema["properties"]["metadata"] = {"type": "object"}
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema).validate


def test_the_cluster_is_one_by_the_schema_of_kuberay(check):
    check(CLUSTER)


CONTAINER = "spec.headGroupSpec.template.spec.containers.0"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.authOption", {"mode": "token"}),
        ("spec.authOptions.mode", "tokens"),
        ("spec.autoscalerOptions.idleTimeout", 300),
        ("spec.headGroupSpec.rayStartParams.num-cpus", 0),
        ("spec.workerGroupSpecs.0.minReplica", 0),
        ("spec.workerGroupSpecs.0.maxReplicas", "8"),
        ("spec.workerGroupSpecs.0.template.spec.gracePeriodSeconds", 30),
        (f"{CONTAINER}.limits", {"cpu": "1"}),
        (f"{CONTAINER}.resources.requests.cpu", [1]),
        (f"{CONTAINER}.lifecycle.preStop.exec.command", "ray stop"),
    ],
)
def test_a_mistake_is_refused(check, path, value):
    cluster = copy.deepcopy(CLUSTER)
    block: Any = cluster
    *names, last = path.split(".")
    for name in names:
        block = block[int(name) if isinstance(block, list) else name]
    block[last] = value
    with pytest.raises(jsonschema.ValidationError):
        check(cluster)


def test_nobody_without_the_token_and_nobody_from_outside():
    assert CLUSTER["spec"]["authOptions"] == {"mode": "token"}
    assert HEAD["serviceType"] == "ClusterIP"
    assert {document["kind"] for document in DOCUMENTS} == {"ServiceAccount", "RayCluster"}
    assert not any("env" in container for container in CONTAINERS), "keys and tokens do not stand in the file"


def test_the_head_trains_nothing_and_workers_come_from_zero():
    assert HEAD["rayStartParams"]["num-cpus"] == "0"
    assert CLUSTER["spec"]["enableInTreeAutoscaling"] is True
    assert [group["groupName"] for group in WORKERS] == ["cpu", "gpu"]
    assert all(group["minReplicas"] == group["replicas"] == 0 < group["maxReplicas"] for group in WORKERS)
    assert ["nvidia.com/gpu" in container["resources"]["limits"] for container in CONTAINERS] == [False, False, True]


def test_requests_are_limits():
    for block in (*CONTAINERS, CLUSTER["spec"]["autoscalerOptions"]):
        assert block["resources"]["requests"] == block["resources"]["limits"]
        assert {"cpu", "memory"} <= set(block["resources"]["limits"])


def test_pods_use_the_service_accounts_of_the_file_and_only_the_head_may_speak_to_kubernetes():
    accounts = {document["metadata"]["name"] for document in DOCUMENTS if document["kind"] == "ServiceAccount"}
    pods = [group["template"]["spec"] for group in (HEAD, *WORKERS)]
    assert [pod["serviceAccountName"] for pod in pods] == ["kdtune-head", "kdtune-worker", "kdtune-worker"]
    assert accounts == {"kdtune-head", "kdtune-worker"}
    assert all(pod["automountServiceAccountToken"] is False for pod in pods[1:])


def test_a_pod_has_time_for_what_it_does_before_it_stops():
    command = CONTAINERS[0]["lifecycle"]["preStop"]["exec"]["command"]
    seconds = int(re.search(r"timeout=(\d+)", command[-1])[1])
    assert HEAD["template"]["spec"]["terminationGracePeriodSeconds"] > seconds


def test_the_head_tells_its_sweeps_before_it_stops(tmp_path):
    """In a PID namespace: elsewhere it would tell the sweeps of other tests."""
    if not has_own_processes():
        pytest.skip("no PID namespaces here")
    program = tmp_path / "sweep.py"
    program.write_text(
        "import signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))\n"
        "print(flush=True)\n"
        "signal.pause()\n"
    )
    code = CONTAINERS[0]["lifecycle"]["preStop"]["exec"]["command"][-1]
    test = f"""
        import subprocess, sys
        pipe = dict(stdout=subprocess.PIPE)
        sweep, other = (
            subprocess.Popen([sys.executable, {str(program)!r}, *words], **pipe)
            for words in (["kdtune", "sweep", "mine.yaml"], ["kdtune", "watch"])
        )
        for process in (sweep, other):
            process.stdout.readline()
        stopping = subprocess.Popen([sys.executable, "-c", {code!r}])
        assert sweep.wait(20) == 130
        assert stopping.wait(20) == 0  # and not when its own time is over
        assert other.poll() is None
    """
    run = subprocess.run(
        [*OWN_PROCESSES, sys.executable, "-c", textwrap.dedent(test)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_the_image_has_the_ray_that_the_cluster_expects():
    dockerfile = (ROOT / "clusters/Dockerfile").read_text(encoding="utf-8")
    version = re.search(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.M)[1]
    assert re.search(r"^FROM rayproject/ray:(\S+)-py3\d+$", dockerfile, re.M)[1] == version
    assert CLUSTER["spec"]["rayVersion"] == version
    assert len({container["image"] for container in CONTAINERS}) == 1
    copied = [word for line in re.findall(r"^COPY --chown=\S+ (.+) \S+$", dockerfile, re.M) for word in line.split()]
    assert copied
    assert all((ROOT / name).exists() for name in copied)
