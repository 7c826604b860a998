"""Given data and teachers, modules and export on a CUDA device: whole sweeps in this process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import kdtune
from kdtune.columns import STUDENT, TEACHER
from tests.given_files import GIVEN, write_arrays, write_given
from tests.test_user_students import DEEPER, NETS

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """Run the small sweep on given arrays on the device and on the CPU, some blocks replaced; return both tables."""
    monkeypatch.chdir(tmp_path)
    write_arrays(tmp_path)
    (tmp_path / "sweep_nets.py").write_text(NETS)
    (tmp_path / "deeper_nets.py").write_text(DEEPER)

    def run(**blocks):
        path = write_given(tmp_path, **blocks)
        return [
            kdtune.sweep(path, results=tmp_path / name, workers=0, gpus_per_worker=gpus, progress=False)
            for name, gpus in (("on gpu", 1), ("on cpu", 0))
        ]

    return run


def test_students_on_cached_logits_agree_with_the_cpu(sweep):
    """Without dropout, whose masks differ between the devices."""
    on_gpu, on_cpu = sweep(
        distill={"T": {"grid_search": [1, 2, 4, 8]}}, replicates=2, train={"epochs": 4, "batch_size": 30}
    )
    assert set(on_gpu["status"]) == {"done"}
    assert on_gpu["id"].tolist() == on_cpu["id"].tolist()
    assert "cpu" not in set(on_gpu[on_gpu["model"] == STUDENT]["device"])
    np.testing.assert_allclose(on_gpu["val_nll"], on_cpu["val_nll"], rtol=1e-3)
    np.testing.assert_array_equal(*(table[table["model"] == TEACHER]["num_error"] for table in (on_gpu, on_cpu)))


@pytest.mark.parametrize("factory", ["sweep_nets:plain", "sweep_nets:with_batch_norm"])
def test_modules_train_on_the_device(sweep, factory):
    on_gpu, on_cpu = sweep(student={"kind": "python", "factory": factory})
    assert set(on_gpu["status"]) == set(on_cpu["status"]) == {"done"}
    assert np.isfinite(on_gpu["nll"]).all()


def test_a_trained_module_runs_on_the_device(sweep):
    teacher = {"kind": "python", "factory": "sweep_nets:plain", "trained": True, "agreement": "any"}
    (Path.cwd() / "sweep_nets.py").write_text(NETS.replace("import torch\n", "import torch\ntorch.manual_seed(0)\n"))
    on_gpu, _ = sweep(teacher=teacher)
    assert set(on_gpu["status"]) == {"done"}


def test_a_student_that_was_trained_on_the_device_is_exported(sweep, tmp_path):
    sweep()
    folder = tmp_path / "taken home"
    kdtune.export(tmp_path / "on gpu" / GIVEN["name"], folder)
    assert (folder / "student.safetensors").exists()
    assert (folder / "model_card.md").exists()
