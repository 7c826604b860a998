"""Which students' weights a sweep keeps: all where they take little, else the best, and what was asked for before."""

from __future__ import annotations

from collections import Counter

import pytest

import kdtune as package
from kdtune.columns import BASELINE, ID, MODEL, STUDENT, TEACHER, TEMP
from kdtune.plan.cells import group_into_cells
from kdtune.plan.enumerate_networks import enumerate_networks
from kdtune.run import kept_students
from kdtune.run.kept_students import choose_kept_students, estimate_kept_bytes, measure_weights
from kdtune.spec.load import load_spec
from tests.folders import table


@pytest.fixture
def sweep_here(call, tmp_path):
    """Run the command line in this process, without Ray."""
    return lambda *arguments: call("sweep", *arguments, "--workers", "0", "--results", tmp_path / "results")


@pytest.fixture
def limit(monkeypatch):
    """Set from which size on not all students are kept."""
    return lambda n_bytes: monkeypatch.setattr(kept_students, "MAX_KEPT_BYTES", n_bytes)


def list_kept(folder):
    return {path.stem for path in (folder / "students").glob("*.safetensors")}


def find_best(found):
    """The students at the temperature with the fewest errors on validation in each cell, summed over replicates."""
    students = found[found[MODEL] == STUDENT]
    errors = students.groupby(["class_sep", "width", TEMP]).val_num_error.sum().reset_index()
    chosen = errors.loc[errors.groupby(["class_sep", "width"]).val_num_error.idxmin()]
    return set(students.merge(chosen[["class_sep", "width", TEMP]])[ID])


def test_by_default_all_students_of_a_small_sweep_are_kept_and_can_be_loaded(sweep_here, write, tmp_path):
    assert sweep_here(write()).exit_code == 0
    folder = tmp_path / "results/small"
    found = table(folder)
    assert list_kept(folder) == set(found[found[MODEL] != TEACHER][ID])
    for network_id in found[ID]:
        package.load(folder, network_id)

    # Later the user wants the best only.
    best = sweep_here(write(), "--keep-students", "best")
    assert "nothing to train" in best.stderr
    assert "not kept" not in best.stderr
    assert list_kept(folder) == find_best(found)

    # By default nothing is said of those that are gone, and nothing more is removed.
    again = sweep_here(write())
    assert "kept" not in again.stderr
    assert list_kept(folder) == find_best(found)
    more = sweep_here(write(), "--set", "distill.T=[1, 2, 5, 9]")
    assert "The weights of 12 students were not kept when they were trained; --fresh trains them again." in more.stderr
    assert len(list_kept(folder)) == 8


def test_of_a_large_sweep_the_best_are_kept(sweep_here, write, limit, tmp_path):
    limit(10_000)
    run = sweep_here(write(replicates=2))
    folder = tmp_path / "results/small"
    assert list_kept(folder) == find_best(table(folder))
    assert (
        "Weights are kept of the students at the best T of each setting; those of all students would take" in run.stderr
    )
    assert "--keep-students all keeps them" in run.stderr


def test_what_an_earlier_run_kept_is_never_removed_by_default(sweep_here, write, limit, tmp_path):
    assert sweep_here(write(), "--keep-students", "all").exit_code == 0
    folder = tmp_path / "results/small"
    kept = list_kept(folder)
    limit(10_000)
    assert sweep_here(write(), "--set", "distill.T=[1, 2, 5, 9, 13]").exit_code == 0
    assert kept <= list_kept(folder)
    new_students = set(table(folder)[ID]) - kept
    assert not find_best(table(folder)) & new_students - list_kept(folder), "new ones that are best are kept"
    assert list_kept(folder) - kept == find_best(table(folder)) & new_students


def test_none_keeps_nothing(sweep_here, write, tmp_path):
    assert sweep_here(write(), "--keep-students", "none").exit_code == 0
    assert not list_kept(tmp_path / "results/small")


def test_weights_are_removed_along_the_way(sweep_here, write, limit, monkeypatch, tmp_path):
    """As soon as a cell is complete, so that they never take much more than what stays."""
    limit(1000)
    folder, counts = tmp_path / "results/small", []
    add = kept_students.StudentPruner.add

    def add_and_count(pruner, rows):
        add(pruner, rows)
        counts.append(len(list_kept(folder)))

    monkeypatch.setattr(kept_students.StudentPruner, "add", add_and_count)
    assert sweep_here(write(replicates=2), "--pack", "1").exit_code == 0
    assert list_kept(folder) == find_best(table(folder))
    # Two of six students stay of each of four cells, and the baselines until the end.
    assert max(counts) <= 4 * 2 + 8 + 6
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept_students.StudentPruner, "is_due", False)
        counts.clear()
        sweep_here(write(replicates=2), "--pack", "1", "--fresh", "--yes")
        assert max(counts) == 32, "else all are there at the end"
    assert list_kept(folder) == find_best(table(folder))


def test_the_choice_follows_from_the_size_of_all_weights(write):
    networks = list(enumerate_networks(load_spec(write())))
    students = [network for network in networks if network.model != TEACHER]
    assert measure_weights(students) == 4 * sum(network.n_params for network in students)
    assert choose_kept_students("auto", networks).keep == "all"
    many = students * (1 + 200_000_000 // measure_weights(students))
    assert choose_kept_students("auto", many).keep == "best"
    for keep in ("none", "best", "all"):
        assert choose_kept_students(keep, many).keep == keep


def test_the_plan_counts_what_is_kept(plan):
    small = plan("replicates=2")
    by_model = Counter()
    for network in small.networks:
        by_model[network.model] += 4 * network.n_params
    kept = {keep: choose_kept_students(keep, small.networks) for keep in ("none", "best", "all")}
    assert estimate_kept_bytes(kept["none"], small) == 0
    assert estimate_kept_bytes(kept["best"], small) == by_model[STUDENT] / 3, "one of three temperatures"
    assert estimate_kept_bytes(kept["all"], small) == by_model[STUDENT] + by_model[BASELINE]


def test_kdtune_plan_says_which_weights_it_counts(call, write, tmp_path):
    assert ", weights of all students included" in call("plan", write(), "--results", tmp_path / "results").output


def test_a_cell_holds_all_temperatures_and_replicates(plan):
    small = plan("replicates=2", "distill.hard_weight=[0, 0.5]")
    cells = group_into_cells(small.networks)
    assert sum(map(len, cells)) == small.count_model(STUDENT)
    assert len(cells) == 2 * 2 * 2
    for cell in cells:
        assert len(cell) == 3 * 2
        assert {network.distill.T for network in cell} == {1, 2, 5}
        assert {network.replicate for network in cell} == {0, 1}
        settings = {(n.data.settings.class_sep, n.shape.width, n.distill.hard_weight) for n in cell}
        assert len(settings) == 1
