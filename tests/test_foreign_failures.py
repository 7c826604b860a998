"""Columns that follow the replicate, rows for each split, and failed runs that no column of states names."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import kdtune
from kdtune.errors import RequestError
from tests.planted_tables import BEST, TEMPERATURES, find_best, make_runs


def add_good_failures(runs: pd.DataFrame) -> pd.DataFrame:
    """Append runs at the highest T that look better than all others, but failed."""
    failed = runs[runs["temp"] == TEMPERATURES[-1]].copy()
    failed["replicate"] += 100
    failed[["val_num_error", "num_error"]] = np.arange(2 * len(failed)).reshape(-1, 2)
    return pd.concat([runs.assign(is_bad=False), failed.assign(is_bad=True)], ignore_index=True)


@pytest.mark.parametrize(
    "name",
    ["gpu", "node", "machine", "log_file", "path", "SLURM_JOB_ID", "job", "tag", "teacher_acc", "teacher_error",
     "baseline_acc", "init_loss", "gpu_temperature", "config/gpu"],
)  # fmt: skip
@pytest.mark.parametrize("is_shared", [False, True], ids=["per_seed", "per_block"])
def test_what_all_runs_of_a_seed_have_in_common_is_no_setting(name: str, is_shared: bool) -> None:
    runs = make_runs().rename(columns={"replicate": "seed"})
    blocks = runs["seed"] + (7 * runs["width"] if is_shared else 0)
    values = 0.97 + 0.001 * blocks if name[-3:] in ("acc", "ror", "oss", "ure") else blocks.map("n{}".format)
    answer = kdtune.analyze(runs.assign(**{name: values}))
    assert answer.cell_columns == ["width"]
    assert find_best(runs.assign(**{name: values})) == BEST
    assert name in " ".join(answer.reading_notes)


@pytest.mark.parametrize("name", ["device", "version", "loss_weight"])
def test_a_doubtful_name_is_a_setting_where_each_seed_has_a_run_for_each_value(name: str) -> None:
    runs = make_runs()
    crossed = pd.concat([runs.assign(**{name: value}) for value in (1.5, 2.5)], ignore_index=True)
    assert sorted(column.removesuffix(" (setting)") for column in kdtune.analyze(crossed).cell_columns) == sorted(
        [name, "width"]
    )
    unpaired = make_runs().assign(replicate=range(len(runs)))  # a seed for each run tells nothing about it
    crossed = pd.concat([unpaired.assign(**{name: value}) for value in (1.5, 2.5)], ignore_index=True)
    columns = kdtune.analyze(crossed.drop(columns="replicate")).cell_columns
    assert sorted(column.removesuffix(" (setting)") for column in columns) == sorted([name, "width"])


def test_an_unknown_column_that_goes_with_the_seed_gets_a_reserve_whose_remedy_works() -> None:
    runs = make_runs()
    runs["who"] = runs["replicate"].map("p{}".format)
    answer = kdtune.analyze(runs)
    assert "the column who has a value of its own for each replicate" in answer.reserve
    assert 'cell=["width"]' in answer.reserve
    assert find_best(runs, cell=["width"]) == BEST
    assert not kdtune.analyze(make_runs()).reserve
    assert not kdtune.analyze(make_runs(replicates=1)).reserve


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("exit_code", 0, 1),
        ("info/state", "FINISHED", "CRASHED"),
        ("lifecycle", "done", "killed"),
        ("error_msg", None, "CUDA out of memory"),
        ("exception", None, "ValueError"),
        ("valid", True, False),
        ("state", "COMPLETED", "CANCELLED by 1000"),
        ("state", "complete", "In progress"),
    ],
)
def test_failed_runs_are_left_out_and_that_is_said(name: str, good: object, bad: object) -> None:
    runs = add_good_failures(make_runs())
    runs[name] = runs.pop("is_bad").map({True: bad, False: good})
    assert find_best(runs) == BEST
    assert "Left out: 10 rows of unfinished runs" in " ".join(kdtune.analyze(runs).reading_notes)


def test_a_column_of_the_same_name_with_other_values_stays_a_setting() -> None:
    runs = make_runs()
    for name, values in (("result", ["a", "b"]), ("error_msg", ["on", "off"]), ("mode", ["done", "ok"])):
        crossed = pd.concat([runs.assign(**{name: value}) for value in values], ignore_index=True)
        assert sorted(column.removesuffix(" (setting)") for column in kdtune.analyze(crossed).cell_columns) == sorted(
            [name, "width"]
        )


@pytest.mark.parametrize("name", ["status", "state"])
def test_zero_and_one_may_mean_either_and_are_asked_for(name: str) -> None:
    runs = add_good_failures(make_runs())
    runs[name] = runs.pop("is_bad").map({True: 1, False: 0})
    with pytest.raises(RequestError, match=f'where="{name} == 0"'):
        kdtune.analyze(runs)
    assert find_best(runs, where=f"{name} == 0") == BEST


@pytest.mark.parametrize("name", ["set", "mode", "eval_on", "data_split", "Phase"])
@pytest.mark.parametrize("other", ["train", "Training"])
def test_rows_for_each_split_are_refused_whatever_the_column_is_called(name: str, other: str) -> None:
    runs = make_runs()
    flattering = runs.assign(val_num_error=runs["temp"], num_error=runs["temp"])
    both = pd.concat([runs.assign(**{name: "test"}), flattering.assign(**{name: other})], ignore_index=True)
    with pytest.raises(RequestError, match="several rows per run") as caught:
        kdtune.analyze(both)
    assert f'{name} == "test"' in str(caught.value)
    assert find_best(both, where=f"{name} == 'test'") == BEST


def test_the_mode_of_a_teacher_is_a_setting() -> None:
    runs = make_runs()
    both = pd.concat([runs.assign(teacher_mode=mode) for mode in ("train", "eval")], ignore_index=True)
    assert sorted(kdtune.analyze(both).cell_columns) == ["teacher_mode", "width"]


@pytest.mark.parametrize("name", ["epoch_num", "update", "it", "step_no"])
def test_rows_for_each_epoch_are_refused_by_more_names(name: str) -> None:
    runs = make_runs()
    epochs = [
        runs.assign(**{name: epoch}, val_num_error=runs["val_num_error"] + 10 * (3 - epoch)) for epoch in range(4)
    ]
    with pytest.raises(RequestError, match="several rows per run"):
        kdtune.analyze(pd.concat(epochs, ignore_index=True))


def test_settings_with_a_single_temperature_are_named_and_left_out_of_the_headline() -> None:
    runs = make_runs()
    labels_alone = runs[runs["temp"] == 1].assign(beta=0.0, num_error=300, val_num_error=300)
    both = pd.concat([runs.assign(beta=0.9), labels_alone], ignore_index=True)
    answer = kdtune.analyze(both)
    notes = " ".join(answer.reading_notes)
    assert "2 of 4 settings have a single temperature, as width 10, beta 0 (T 1)" in notes
    assert [each.T for each in answer.advice] == [2.0, 8.0]
    step = re.search(r"with pandas: (frame.*?[)])[.]", notes)
    assert step is not None
    names = {"frame": both.copy()}
    exec(step[1], names)
    assert find_best(names["frame"]) == BEST
    assert (names["frame"]["model"] == "student").sum() == 10
    roles = both["beta"].map({0.9: "distilled_student", 0.0: "student"})
    assert find_best(both.assign(model=roles).drop(columns="beta")) == BEST
    assert "single temperature" not in " ".join(kdtune.analyze(runs).reading_notes)
