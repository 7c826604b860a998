"""Arguments of the user's factories never stand in another column of the table."""

from __future__ import annotations

import numpy as np
import pytest

import kdtune
from kdtune import columns
from kdtune.columns import MODEL, STUDENT
from kdtune.plan.enumerate_networks import enumerate_networks
from kdtune.settings import DATASET_KINDS, ModuleShape, SklearnTeacher
from kdtune.spec.load import load_spec
from kdtune.train.rows import make_row
from tests.given_files import make_arrays

NETS = """
from torch import nn

class Net(nn.Module):
    def __init__(self, inputs, n_classes, scale=1.0, size=2, teacher_width=1):
        super().__init__()
        self.layer, self.scale = nn.Linear(inputs[0], n_classes), scale

    def forward(self, x):
        return self.layer(x) * self.scale
"""


def name_columns(names, **settings):
    """Return the columns that a module, and an estimator, with these arguments add to a row."""
    module = ModuleShape.model_construct(factory="nets:Net", args=dict.fromkeys(names, "given"))
    estimator = SklearnTeacher.model_construct(factory="nets:Net", args=dict.fromkeys(names, "given"))
    return module.to_columns(), estimator.to_columns()


def test_no_argument_takes_a_column_of_a_row(write):
    networks = list(enumerate_networks(load_spec(write())))
    own_names = set(networks[0].shape.to_columns())  # An argument `depth` is the depth of the network, too.
    rows = [make_row(network) for network in networks]
    names = {name for row in rows for name in row if name not in own_names}
    names |= {"architecture"} | columns.COLUMN_TYPES.keys() | columns.DETAIL_TYPES.keys() | set(columns.SHIFT_COLUMNS)
    for found in name_columns(names - {columns.WIDTH}):
        assert [name for name in names if found.get(name) == "given"] == []


@pytest.mark.parametrize("kind", DATASET_KINDS)
def test_no_argument_takes_a_column_of_a_data_set(kind):
    names = DATASET_KINDS[kind].list_columns()
    for found in name_columns(names):
        assert found.keys().isdisjoint(names)


def test_settings_of_a_kind_and_arguments_stand_side_by_side():
    _, found = name_columns(["floor", "soft_targets", "arg_floor", "max_depth"])
    assert found["floor"] == 1e-4
    assert (found["arg_floor"], found["arg_arg_floor"], found["max_depth"]) == ("given", "given", "given")


def test_the_scale_of_the_data_and_that_of_a_student_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scaled_nets.py").write_text(NETS, encoding="utf-8")
    arrays = make_arrays()
    table = kdtune.sweep(
        {
            "name": "mine",
            "dataset": {"x": arrays["train_x"], "y": arrays["train_y"], "scale": {"grid_search": [1, 2]}},
            "teacher": {"kind": "mlp", "hidden": [8]},
            "student": {
                "kind": "python",
                "factory": "scaled_nets:Net",
                "args": {"scale": {"grid_search": [0.5, 4.0]}, "teacher_width": 3},
            },
            "distill": {"T": 2},
            "train": {"epochs": 1},
        },
        workers=0,
        progress=False,
    )
    students = table[table[MODEL] == STUDENT]
    assert set(zip(students["scale"], students["arg_scale"], strict=True)) == {
        (1.0, 0.5),
        (1.0, 4.0),
        (2.0, 0.5),
        (2.0, 4.0),
    }
    assert np.array_equal(students["arg_teacher_width"], [3] * 4)
    assert set(students["teacher_width"]) == {8}
