"""The door for tables from elsewhere: what its columns mean, and that what was understood is said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kdtune
from kdtune.errors import RequestError
from tests.planted_tables import BEST, find_best, make_runs

TEMPERATURE_NAMES = ["T", "temperature", "tau", "kd_T", "Temperature", "config/distill/T", "params_T", "params.T",
                     "config.temperature", "hparams/kd_temp", "KD temperature"]  # fmt: skip
SEED_NAMES = ["seed", "random_seed", "run_seed", "config/seed", "user_attrs_seed", "Seed", "rng-seed", "fold"]


def notes_of(frame, **options):
    answer = kdtune.analyze(frame, **options)
    return " ".join([*answer.reading_notes, *answer.matching_notes])


@pytest.mark.parametrize("name", TEMPERATURE_NAMES)
def test_the_temperature_is_known_by_its_names(name):
    runs = make_runs().rename(columns={"temp": name})
    assert find_best(runs) == BEST
    assert name in notes_of(runs)


@pytest.mark.parametrize("name", SEED_NAMES)
def test_seeds_name_the_replicate_and_that_is_said(name):
    runs = make_runs().rename(columns={"replicate": name})
    answer = kdtune.analyze(runs)
    assert answer.is_paired
    assert answer.cell_columns == ["width"]
    assert f"The replicate is the column {name}: runs with the same value there belong together." in " ".join(
        answer.reading_notes
    )


def test_two_columns_that_may_be_the_temperature_are_asked_for():
    runs = make_runs()
    assert find_best(runs.assign(tau=3.0)) == BEST  # the one that varies
    for name in ("temp", "T"):
        two = runs.rename(columns={"temp": name}).assign(tau=runs["temp"] * 2)
        with pytest.raises(RequestError, match=f'2 columns may be the temperature: {name}, tau.*map={{"temp": '):
            kdtune.analyze(two)
        assert find_best(two, map={"temp": name}) == BEST


@pytest.mark.parametrize("name", ["inv_T", "1/T", "log2_T", "log_temperature"])
def test_a_transform_of_the_temperature_is_none(name):
    with pytest.raises(RequestError, match="transform"):
        kdtune.analyze(make_runs().rename(columns={"temp": name}))


def test_the_temperature_of_a_gpu_is_none():
    runs = make_runs().rename(columns={"temp": "T"}).assign(**{"system.gpu.0.temp": range(50)})
    assert find_best(runs) == BEST


@pytest.mark.parametrize("is_sorted", [False, True])
@pytest.mark.parametrize("order_seed", range(3))
def test_rows_without_replicates_are_not_paired_whatever_their_order(is_sorted, order_seed):
    runs = make_runs().drop(columns="replicate")
    shuffled = runs.sort_values("val_num_error") if is_sorted else runs.sample(frac=1, random_state=order_seed)
    first, second = kdtune.analyze(runs), kdtune.analyze(shuffled)
    assert not first.is_paired
    assert "so runs are not paired" in " ".join(first.reading_notes)
    pd.testing.assert_frame_equal(first.t_opt, second.t_opt)
    pd.testing.assert_frame_equal(first.curves, second.curves)
    assert find_best(runs) == BEST


def test_order_pairs_runs_only_for_those_who_say_so():
    runs = make_runs()
    by_order = kdtune.analyze(runs.drop(columns="replicate"), paired_by_order=True)
    assert by_order.is_paired
    pd.testing.assert_frame_equal(by_order.t_opt, kdtune.analyze(runs).t_opt)
    assert "order of the rows" in " ".join(by_order.reading_notes)


def test_a_seed_for_each_run_means_unpaired_runs():
    runs = make_runs().assign(replicate=np.random.default_rng(1).permutation(10_000)[:50])
    answer = kdtune.analyze(runs)
    assert not answer.is_paired
    assert "No replicate has two temperatures: each run has a seed" in " ".join(answer.reading_notes)
    assert find_best(runs) == BEST


BOOKKEEPING = {
    "hostname": lambda n, r: r.choice(["a", "b"], n),
    "pid": lambda n, r: r.integers(1000, 1010, n),
    "start_time": lambda n, r: [f"2021-08-{day + 1:02d}/00-00-13" for day in r.integers(0, 20, n)],
    "Created": lambda n, r: [f"2024-01-{day + 1:02d}T10:00:00Z" for day in r.integers(0, 20, n)],
    "when": lambda n, r: [f"2024-01-{day + 1:02d} 10:00" for day in r.integers(0, 20, n)],
    "runtime": lambda n, r: r.integers(3000, 3010, n),
    "_runtime": lambda n, r: r.random(n),
    "time_total_s": lambda n, r: r.random(n).round(1),
    "best_epoch": lambda n, r: r.integers(150, 160, n),
    "gpu": lambda n, r: r.integers(0, 8, n),  # of few values some are laid out like a setting by chance
    "train_loss": lambda n, r: r.random(n).round(1),
    "top5": lambda n, r: r.integers(90, 95, n),
    "f1": lambda n, r: r.random(n).round(1),
    "Unnamed: 0": lambda n, r: np.arange(n),
    "trial_id": lambda n, r: [f"{value:08x}" for value in r.permutation(n)],
    "config/trial_id": lambda n, r: r.permutation(n),
    "logdir": lambda n, r: [f"/tmp/{value}" for value in r.integers(0, 5, n)],
    "node_ip": lambda n, r: r.choice(["10.0.0.1", "10.0.0.2", "10.0.0.3"], n),
    "momentum_used": lambda n, r: r.random(n),  # unknown, but with a value of its own in each row
}


@given(
    names=st.lists(st.sampled_from(sorted(BOOKKEEPING)), min_size=1, max_size=6, unique=True),
    order=st.integers(0, 1000),
    has_seeds=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_bookkeeping_and_other_measures_are_no_settings(names, order, has_seeds):
    runs = make_runs()
    random = np.random.default_rng(order)
    runs = runs.assign(**{name: BOOKKEEPING[name](len(runs), random) for name in names})
    runs = runs.sample(frac=1, random_state=order)[random.permutation(runs.columns)]
    if not has_seeds:
        runs = runs.drop(columns="replicate")
    answer = kdtune.analyze(runs)
    assert answer.cell_columns == ["width"]
    assert dict(zip(answer.t_opt["width"], answer.t_opt["T_opt"], strict=True)) == BEST
    for name in names:
        assert name in " ".join(answer.reading_notes)


@pytest.mark.parametrize("name", ["lr", "dataset_name", "data_path", "task_id", "loss_weight", "kl_weight", "gpu_type"])
def test_a_setting_that_is_laid_out_like_one_stays_a_setting(name):
    first, second = make_runs(), make_runs(seed=1)
    runs = pd.concat([first.assign(**{name: 0.1}), second.assign(**{name: 0.5})])
    assert set(kdtune.analyze(runs).cell_columns) == {"width", name}


@pytest.mark.parametrize(
    ("name", "finished", "others"),
    [
        ("state", "COMPLETE", ["PRUNED", "FAIL", "RUNNING"]),
        ("State", "finished", ["crashed", "killed", "running"]),
        ("status", "FINISHED", ["FAILED", "RUNNING"]),
        ("status", "TERMINATED", ["ERROR", "PENDING"]),
        ("state", "TrialState.COMPLETE", ["TrialState.PRUNED"]),
        ("State", "COMPLETED", ["TIMEOUT", "OUT_OF_MEMORY"]),
    ],
)
def test_runs_that_did_not_finish_do_not_count(name, finished, others):
    runs = make_runs()
    unfinished = make_runs(replicates=1).assign(replicate=9, val_num_error=0, num_error=0)
    states = [others[i % len(others)] for i in range(len(unfinished))]
    table = pd.concat([runs.assign(**{name: finished}), unfinished.assign(**{name: states})])
    answer = kdtune.analyze(table)
    pd.testing.assert_frame_equal(
        answer.t_opt[["T_opt", "T_opt_low", "T_opt_high"]],
        kdtune.analyze(runs).t_opt[["T_opt", "T_opt_low", "T_opt_high"]],
    )
    assert "10 rows of unfinished runs" in " ".join(answer.reading_notes)


def test_the_states_of_a_country_are_no_states_of_runs():
    runs = pd.concat([make_runs().assign(state="Ohio"), make_runs(seed=1).assign(state="Utah")])
    assert set(kdtune.analyze(runs).cell_columns) == {"width", "state"}


def test_a_state_that_is_not_known_is_asked_for():
    runs = make_runs().assign(state=["finished"] * 40 + ["in limbo"] * 10)
    with pytest.raises(
        RequestError,
        match=r"""'in limbo' .10 rows., which kdtune does not know.*where='state != "in limbo"'""",
    ):
        kdtune.analyze(runs)
    assert kdtune.analyze(runs, where="state == 'finished'").t_opt is not None


def test_where_selects_rows_by_the_tables_own_names():
    runs = pd.concat([make_runs(), make_runs(seed=1).assign(val_num_error=1, width=99)]).rename(columns={"temp": "T"})
    assert find_best(runs, where="width < 50 and T > 0") == BEST
    assert "rows match where=" in notes_of(runs, where="width < 50")
    with pytest.raises(RequestError, match="no row of 100 matches"):
        kdtune.analyze(runs, where="width > 1000")


def test_a_row_for_each_epoch_is_refused_with_the_remedy():
    runs = make_runs().assign(trial_id=[f"t{i}" for i in range(50)])
    epochs = pd.concat([runs.assign(epoch=epoch) for epoch in range(1, 4)])
    for table in (epochs, epochs.drop(columns="trial_id"), epochs.drop(columns=["trial_id", "replicate"])):
        with pytest.raises(RequestError, match=r'one for each epoch .* where="epoch == 3"'):
            kdtune.analyze(table)
    assert find_best(epochs, where="epoch == 3") == BEST


def test_two_runs_of_one_setting_and_replicate_are_refused_with_what_tells_them_apart():
    twice = pd.concat([make_runs().assign(comment2="a"), make_runs(seed=1).assign(comment2="b")], ignore_index=True)
    twice["mixup"] = np.where(np.arange(100) % 7 == 0, "on", None)
    with pytest.raises(RequestError, match=r"where they differ in comment2 and mixup.*cell=") as refusal:
        kdtune.analyze(twice, cell=["width"])
    assert """keep one: where='comment2 == "a"'. If""" in str(refusal.value)
    assert 'If comment2 is a setting: cell=["width", "comment2"].' in str(refusal.value)


def test_names_of_architectures_are_a_setting():
    runs = pd.concat([make_runs().assign(model="resnet8"), make_runs(seed=1).assign(model="vgg8")])
    answer = kdtune.analyze(runs)
    assert "model (setting)" in answer.cell_columns
    assert "resnet8" in " ".join(answer.reading_notes)


def test_students_with_temperatures_are_distilled_students():
    runs = make_runs().assign(model="student")
    assert find_best(runs) == BEST
    assert "taken for distilled students" in notes_of(runs)


def test_settings_and_what_is_none_are_said():
    text = notes_of(make_runs().assign(hostname="a", lr=0.1))
    assert "Settings: width (10, 40)." in text


def test_a_frame_that_is_no_table_is_refused():
    with pytest.raises(RequestError):
        kdtune.analyze(42)
    with pytest.raises(RequestError, match=r'map=\{"temp": "NAME"\}'):
        kdtune.analyze(make_runs().rename(columns={"temp": "x"}))
