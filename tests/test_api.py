"""The library checks what the command line checks, and says what would be right."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import kdtune
from kdtune.analysis.headline import write_opening


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"set": {"distill.T": [2, 4]}}, r"set: must be a list of texts 'PATH=VALUE', not a mapping; write set="),
        (
            {"set": "distill.T=2"},
            r"set: must be a list of texts; write set=\['distill.T=2'\], not 'distill.T=2'",
        ),
        ({"set": [2]}, "set: must be a list of texts"),
        ({"set": None}, "set: must be a list of texts"),
        ({"results": None}, "results: must be a path, as in results='results', not None"),
        ({"results": ""}, "results: must be a path"),
        ({"results": 3}, "results: must be a path"),
        ({"data_root": 3}, "data_root: must be a path"),
        ({"workers": -1}, "workers"),
        ({"workers": "two"}, "workers"),
        ({"pack": 0}, "pack must be a whole number of at least 1, not 0"),
        ({"pack": 1.5}, "pack must be a whole number"),
        ({"pack": True}, "pack must be a whole number"),
        ({"retries": -1}, "retries must be a whole number of at least 0, not -1"),
        ({"retries": "x"}, "retries must be a whole number"),
        ({"max_networks": float("nan")}, "max_networks must be a whole number"),
        ({"max_networks": None}, "max_networks must be a whole number"),
        ({"address": 5}, "address must be text"),
        ({"fresh": "no"}, "fresh must be True or False, not 'no'"),
        ({"precision": "fp8"}, "precision"),
        ({"keep_students": "some"}, "keep_students"),
    ],
    ids=str,
)
def test_sweep_refuses_a_wrong_argument_and_writes_nothing(arguments, message, write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kdtune.RequestError, match=message):
        kdtune.sweep(write(), **arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


@pytest.mark.parametrize("file", [None, 3, "", Path("nowhere.yaml")])
def test_sweep_refuses_a_file_that_is_none(file):
    with pytest.raises(kdtune.RequestError):
        kdtune.sweep(file)


@pytest.mark.parametrize("name", ["margin", "effect_margin"])
@pytest.mark.parametrize("value", [-1, math.nan, math.inf, "much", [], True])
def test_analyze_refuses_a_margin_that_is_none(rising, name, value):
    with pytest.raises(kdtune.RequestError, match=name.replace("_", ".")):
        kdtune.analyze(rising, **{name: value})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cell": "width"}, "cell"),
        ({"cell": [3]}, "cell"),
        ({"map": {"temp": 3}}, "map"),
        ({"map": "temp=tau"}, "map"),
    ],
    ids=str,
)
def test_analyze_refuses_names_that_are_none(rising, arguments, message):
    with pytest.raises(kdtune.RequestError, match=message):
        kdtune.analyze(rising, **arguments)


@pytest.mark.parametrize("results", [None, "", 3, []])
def test_results_that_are_no_path_are_refused(results):
    for read in (kdtune.analyze, kdtune.read_table, lambda place: kdtune.load(place, "a"),
                 lambda place: kdtune.load_data(place, "a")):  # fmt: skip
        with pytest.raises(kdtune.RequestError, match="results: must be a path"):
            read(results)


@pytest.mark.parametrize(
    ("results", "kind"),
    [
        (np.zeros((1000, 3)), "numpy.ndarray of shape (1000, 3); an array becomes a table with pandas.DataFrame(array"),
        (torch.zeros(2, 3), "torch.Tensor of shape (2, 3); an array becomes a table"),
        ([0.5] * 1000, "list of length 1,000"),
        (pd.Series([0.5] * 100), "pandas.Series of shape (100,); a single column becomes a table with .to_frame()"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_object_that_is_no_table_is_named_by_type_and_shape(results, kind):
    for read in (kdtune.analyze, kdtune.show, kdtune.power):
        with pytest.raises(kdtune.RequestError, match="results: must be a path") as error:
            read(results)
        assert f"not of type {kind}" in str(error.value)
    with pytest.raises(kdtune.RequestError) as error:
        kdtune.read_table(results)
    assert str(error.value).endswith(f"not of type {kind.split(';')[0]}")


def test_a_long_argument_is_named_by_type_and_shape(rising):
    rows = pd.Series([True] * 100)
    for arguments in ({"where": rows}, {"cell": list(range(100))}, {"margin": rows}):
        with pytest.raises(
            kdtune.RequestError, match=r"not of type (pandas.Series of shape \(100,\)|list of length 100)$"
        ):
            kdtune.analyze(rising, **arguments)


@pytest.mark.parametrize("identity", [None, 3, ""])
def test_an_id_that_is_none_is_refused(identity, tmp_path):
    with pytest.raises(kdtune.RequestError):
        kdtune.load(tmp_path, identity)


def test_an_answer_prints_as_text(rising):
    answer = kdtune.analyze(rising)
    text = str(answer)
    assert text.startswith("\n\n".join(write_opening(answer)))
    assert "statistically tied" in text
    assert "array(" not in text
    assert repr(answer) == text
