"""Whom students are compared with: planted baselines and teachers come back, different ones are never averaged."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdtune.analysis.baselines_and_teachers import match_baselines, match_teachers
from kdtune.analysis.cell_arrays import split_into_cells
from kdtune.analysis.cells import find_cell_columns
from kdtune.columns import (
    BASELINE,
    DATA_SEED,
    DONE,
    ID,
    MODEL,
    NUM_ERROR,
    REPLICATE,
    STATUS,
    STUDENT,
    TEACHER,
    TEACHER_ID,
    TEMP,
    VAL_NUM_ERROR,
)

NAN = float("nan")
PUBLISHED = Path(__file__).parent.parent / "results" / "published"
ROLES = (BASELINE, TEACHER)


def make_rows(model, cells, replicates=range(3), temperatures=(None,), errors=lambda cell, replicate: 500):
    """Make a row for each cell, replicate and T, whose errors ``errors`` gives; the settings of a cell are a dict."""
    return [
        {**cell, MODEL: model, TEMP: T, REPLICATE: replicate, NUM_ERROR: errors(cell, replicate)}
        for cell, replicate, T in itertools.product(cells, replicates, temperatures)
    ]


def make_students(cells, replicates=range(3)):
    return make_rows(STUDENT, cells, replicates, temperatures=(1.0, 2.0, 4.0))


def split(rows, columns, **extra):
    table = pd.DataFrame([{STATUS: DONE, TEMP: NAN, REPLICATE: None, **row} for row in rows]).assign(**extra)
    return split_into_cells(table.assign(**{VAL_NUM_ERROR: table[NUM_ERROR]}), columns, NUM_ERROR)


def compare(rows, columns, role=TEACHER):
    """Return the errors that each cell is compared with, by the values of its columns, and the notes as one text."""
    cells, notes = split(rows, columns)
    key = columns[0] if len(columns) == 1 else None
    errors = {}
    for cell in cells:
        measures = cell.teacher_measures if role == TEACHER else cell.baseline_measures
        name = cell.settings[key] if key else tuple(cell.settings.values())
        errors[name] = [None if np.isnan(value) else value for value in measures[NUM_ERROR].tolist()]
    return errors, "\n".join(notes)


TASKS = [{"task": "a"}, {"task": "b"}]
BY_TASK = {"a": 100, "b": 380}

# Names of columns that no list knows, that are settings of kdtune, and that describe networks or losses.
names = st.sampled_from(["task", "corpus", "domain", "a b", "optimizer", "dataset", "class_sep", "lr", "width",
                         "arch", "hidden", "alpha", "hard_weight", "student_kind", "x"])  # fmt: skip
names |= st.text("abcxyz", min_size=2)
values = st.sampled_from([("a", "b", "c"), (1, 2, 10), (0.1, 0.25, 3e-4), ("1", "02", "1e3"), ("0.1", "x", "true")])


@settings(max_examples=40, deadline=None)
@given(
    role=st.sampled_from(ROLES),
    key_names=st.lists(names, min_size=1, max_size=3, unique=True),
    key_values=st.lists(values, min_size=3, max_size=3),
    n_keys=st.integers(1, 3),
    are_paired=st.booleans(),
    random=st.randoms(use_true_random=False),
)
def test_planted_errors_come_back_by_every_key(role, key_names, key_values, n_keys, are_paired, random):
    """Whatever the columns are called, in any order of rows and columns; networks may lack the last keys."""
    cells = [dict(zip(key_names, row, strict=True)) for row in itertools.product(*key_values[: len(key_names)])]
    keys = key_names[:n_keys]
    network_cells = [dict(row) for row in dict.fromkeys(tuple((name, cell[name]) for name in keys) for cell in cells)]
    number = {tuple(cell.values()): i for i, cell in enumerate(network_cells)}
    replicates = range(3) if are_paired else [None]

    def plant(cell, replicate):
        return 1000 * (1 + number[tuple(cell[name] for name in keys)]) + (replicate or 0)

    rows = make_students(cells, replicates) + make_rows(role, network_cells, replicates, errors=plant)
    random.shuffle(rows)
    rows = [dict(random.sample(list(row.items()), len(row))) for row in rows]
    table_cells, notes = split(rows, key_names, blank=None, remark=NAN)
    assert len(table_cells) == len(cells)
    for cell in table_cells:
        measures = cell.baseline_measures if role == BASELINE else cell.teacher_measures
        assert measures[NUM_ERROR].tolist() == [plant(cell.settings, replicate) for replicate in replicates]
    assert len(notes) == 1
    assert all(name in notes[0] for name in keys)


network_rows = st.builds(
    lambda task, domain, arch: {"task": task, "domain": domain, "arch": arch},
    task=st.sampled_from([None, "a", "b", "c"]),
    domain=st.sampled_from([None, "x", "y"]),
    arch=st.sampled_from([None, "A", "B"]),
)


@settings(max_examples=80, deadline=None)
@given(
    role=st.sampled_from(ROLES),
    networks=st.lists(network_rows, min_size=1, max_size=6, unique_by=lambda network: tuple(network.values())),
    replicates=st.lists(st.sampled_from([(0, 1, 2), (0, 1, 2, 3), (1, 2), (7, 8), (None, None)]), min_size=6),
    are_paired=st.booleans(),
    random=st.randoms(use_true_random=False),
)
def test_different_networks_are_never_averaged(role, networks, replicates, are_paired, random):
    """Each network has errors of its own hundred; a cell is compared with those of one hundred, or with none."""
    cells = [{"task": task, "domain": domain} for task in "ab" for domain in "xy"]
    rows = make_students(cells, range(3) if are_paired else [None])
    for i, network in enumerate(networks):
        errors = iter(range(100 * (i + 1), 100 * (i + 2)))
        rows += make_rows(role, [network], replicates[i], errors=lambda cell, replicate, errors=errors: next(errors))
    random.shuffle(rows)
    table_cells, notes = split(rows, ["task", "domain"])
    n_without = 0
    for cell in table_cells:
        errors = (cell.baseline_measures if role == BASELINE else cell.teacher_measures)[NUM_ERROR]
        known_errors = errors[~np.isnan(errors)]
        n_without += not known_errors.size
        if not known_errors.size:
            continue
        (i,) = set(known_errors // 100)
        network = networks[int(i) - 1]
        has_no_task = all(other["task"] == "c" for other in networks)
        candidates = [
            other
            for other in networks
            if (has_no_task or other["task"] in (None, cell.settings["task"]))
            and other["domain"] in (None, cell.settings["domain"])
        ]
        assert network in candidates
        assert count_named(network) == max(map(count_named, candidates))
    noun = "baseline" if role == BASELINE else "teacher"
    beginnings = (f"compared with no {noun}", f"No student is compared with a {noun}")
    assert any(beginning in note for note in notes for beginning in beginnings) == (n_without > 0)


def count_named(network):
    return (network["task"] is not None) + (network["domain"] is not None)


def test_teachers_are_joined_by_a_column_of_any_name():
    rows = make_students(TASKS) + make_rows(TEACHER, TASKS, errors=lambda cell, _: BY_TASK[cell["task"]])
    errors, notes = compare(rows, ["task"])
    assert errors == {"a": [100] * 3, "b": [380] * 3}
    assert notes == "Students are compared with the teacher of the same task and replicate."


@pytest.mark.parametrize("role", ROLES)
def test_a_network_that_leaves_the_key_empty_is_everybodys(role):
    errors, notes = compare(make_students(TASKS) + make_rows(role, [{}], [None]), ["task"], role)
    noun = "baseline" if role == BASELINE else "teacher"
    assert errors == {"a": [500] * 3, "b": [500] * 3}
    assert notes.splitlines() == [
        f"Students are compared with the only {noun} of the table.",
        f"The {noun} has one row: it is compared with every replicate.",
    ]


@pytest.mark.parametrize("role", ROLES)
def test_a_row_that_names_the_value_goes_before_one_that_leaves_it_empty(role):
    networks = [{"task": "a"}, {"task": None}]
    rows = make_students([*TASKS, {"task": "c"}])
    rows += make_rows(role, networks, errors=lambda cell, _: 100 if cell["task"] else 500)
    errors, notes = compare(rows, ["task"], role)
    assert errors == {"a": [100] * 3, "b": [500] * 3, "c": [500] * 3}
    assert "a row that leaves task empty is for all students that no other row matches." in notes


def test_an_empty_key_is_a_value_where_students_leave_it_empty():
    networks = [{"jitter": 1.0}, {"jitter": None}]
    rows = make_students([*networks, {"jitter": 2.0}])
    errors, notes = compare(rows + make_rows(BASELINE, networks), ["jitter"], BASELINE)
    assert errors == {1.0: [500] * 3, 2.0: [None] * 3, None: [500] * 3}
    assert "1 of 3 settings (jitter 2)" in notes


@pytest.mark.parametrize("role", ROLES)
def test_a_single_network_that_names_one_of_the_values_is_of_those_students_only(role):
    errors, notes = compare(make_students(TASKS) + make_rows(role, [TASKS[0]]), ["task"], role)
    noun = "baseline" if role == BASELINE else "teacher"
    assert errors == {"a": [500] * 3, "b": [None] * 3}
    assert (
        f"The students of 1 of 2 settings (task b) are compared with no {noun}, because no row of a {noun} has their "
        f"task. If a {noun} is for all students, leave task empty in its row."
    ) in notes


def test_only_those_keys_are_named_whose_values_are_missing():
    rows = make_students([{**task, "width": width} for task in TASKS for width in (10, 40)])
    rows += make_rows(BASELINE, [{**task, "width": 10} for task in TASKS])
    _, notes = compare(rows, ["task", "width"], BASELINE)
    assert "no row of a baseline has their width. If a baseline is for all students, leave width empty" in notes


def test_rows_that_match_no_student_are_named():
    rows = make_students(TASKS) + make_rows(TEACHER, [*TASKS, {"task": "c"}])
    errors, notes = compare(rows, ["task"])
    assert errors == {"a": [500] * 3, "b": [500] * 3}
    assert notes.splitlines()[1:] == ["3 rows of teachers match no student and are not used: the first has task c."]


def test_a_row_that_names_another_value_is_not_used_beside_one_that_leaves_it_empty():
    """Not even where it names more of the other keys."""
    rows = make_students([{**task, "domain": domain} for task in TASKS for domain in "xy"])
    rows += make_rows(TEACHER, [{}, {"task": "c", "domain": "x"}], errors=lambda cell, _: 100 if cell else 900)
    errors, notes = compare(rows, ["task", "domain"])
    assert {value for values in errors.values() for value in values} == {900}
    assert "3 rows of teachers match no student and are not used: the first has task c, domain x." in notes


@pytest.mark.parametrize("name", ["width", "depth", "hidden", "n_params", "lr", "Epochs", "arch"])
@pytest.mark.parametrize("teacher_value", [10, 100])
def test_a_teacher_need_not_be_like_its_students(name, teacher_value):
    """Not even if it is as wide as some of them."""
    rows = make_students([{name: 10}, {name: 40}]) + make_rows(TEACHER, [{name: teacher_value}])
    errors, notes = compare(rows, [name])
    assert errors == {10: [500] * 3, 40: [500] * 3}
    assert f"even where they differ from it in {name} (teacher: {teacher_value}; students: 10, 40)." in notes


def test_a_baseline_that_was_trained_otherwise_than_all_students_is_theirs():
    rows = make_students([{"epochs": 100}, {"epochs": 200}]) + make_rows(BASELINE, [{"epochs": 50}])
    errors, notes = compare(rows, ["epochs"], BASELINE)
    assert errors == {100: [500] * 3, 200: [500] * 3}
    assert "even where they differ from it in epochs (baseline: 50; students: 100, 200)." in notes


def test_a_network_that_leaves_a_setting_empty_is_another_one():
    rows = make_students(TASKS) + make_rows(TEACHER, [{"dropout": 0.5}, {}], errors=lambda cell, _: len(cell))
    errors, notes = compare(rows, ["task"])
    assert errors == {"a": [None] * 3, "b": [None] * 3}
    assert "differ in dropout (0.5, empty)" in notes
    assert "--where 'dropout != 0.5'" in notes


def test_replicates_of_a_network_may_leave_a_setting_empty():
    """As in a spreadsheet that names it in the first row only."""
    rows = make_students(TASKS) + make_rows(TEACHER, [{}], errors=lambda _, replicate: replicate)
    rows[-3]["dropout"] = 0.5
    assert compare(rows, ["task"])[0] == {"a": [0, 1, 2], "b": [0, 1, 2]}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("replicates", [range(3), [None], [100, 101]])
def test_several_different_networks_are_named_and_not_averaged(role, replicates):
    networks = [{"arch": "A"}, {"arch": "B"}]
    rows = make_students(TASKS) + make_rows(role, networks, replicates, errors=lambda cell, _: ord(cell["arch"]))
    errors, notes = compare(rows, ["task"], role)
    noun = "baseline" if role == BASELINE else "teacher"
    assert errors == {"a": [None] * 3, "b": [None] * 3}
    assert notes == (
        f"No student is compared with a {noun}, because several {noun}s match them, which differ in arch (A, B). "
        f"""Select one with --where 'arch != "B"'. If each {noun} has students of its own, add a column {noun}_name """
        f"with the same value in a {noun}'s row and in its students' rows."
    )


def test_networks_that_differ_for_some_cells_only_are_missing_there_only():
    networks = [{"task": "a", "arch": "A"}, {"task": "b", "arch": "A"}, {"task": "b", "arch": "B"}]
    errors, notes = compare(make_students(TASKS) + make_rows(TEACHER, networks, errors=hash_row), ["task"])
    assert errors["b"] == [None] * 3
    assert None not in errors["a"]
    assert "The students of 1 of 2 settings (task b) are compared with no teacher" in notes


def hash_row(cell, replicate):
    """Return a number of errors that is another one for each architecture and replicate."""
    return 100 * ord(str(cell["arch"])) + (replicate or 0)


def test_students_that_name_their_teacher_in_a_column_of_another_name_are_compared_with_none():
    rows = make_students([{"teacher_arch": "A"}, {"teacher_arch": "B"}])
    rows += make_rows(TEACHER, [{"arch": "A"}, {"arch": "B"}], errors=hash_row)
    errors, notes = compare(rows, ["teacher_arch"])
    assert errors == {"A": [None] * 3, "B": [None] * 3}
    assert "differ in arch (A, B)" in notes
    assert "or fill in teacher_arch in the rows of teachers." in notes
    filled_rows = [{**row, "teacher_arch": row.get("arch", row.get("teacher_arch"))} for row in rows]
    errors, notes = compare(filled_rows, ["teacher_arch"])
    assert errors == {"A": [6500, 6501, 6502], "B": [6600, 6601, 6602]}


@pytest.mark.parametrize("name", ["teacher", "teacher_arch", "Teacher model"])
def test_the_students_teacher_counts_where_another_column_names_the_cells(name):
    """It changes with the width, so the width alone names the cells."""
    students = make_students([{"width": 10, name: "A"}, {"width": 40, name: "B"}])
    errors, notes = compare(students + make_rows(TEACHER, [{name: "A"}]), ["width"])
    assert errors == {10: [500] * 3, 40: [None] * 3}
    assert f"(width 40) are compared with no teacher, because no row of a teacher has their {name}." in notes
    errors, notes = compare(students + make_rows(TEACHER, [{}]), ["width"])
    assert errors == {10: [None] * 3, 40: [None] * 3}
    assert f"Fill in {name} in the rows of teachers." in notes


def test_the_own_settings_of_students_that_name_their_teacher_are_no_keys():
    students = [{"width": width, "teacher_width": other} for width in (10, 40) for other in (10, 40)]
    rows = make_students(students) + make_rows(
        TEACHER, [{"width": 10}, {"width": 40}], errors=lambda cell, _: cell["width"]
    )
    errors, notes = compare(rows, ["width", "teacher_width"])
    assert {value for values in errors.values() for value in values} == {None}
    assert "differ in width (10, 40)" in notes


@pytest.mark.parametrize("teacher", [{}, {"arch": "A"}])
def test_one_teacher_is_not_that_of_students_that_name_several(teacher):
    rows = make_students([{"teacher_arch": "A"}, {"teacher_arch": "B"}]) + make_rows(TEACHER, [teacher])
    errors, notes = compare(rows, ["teacher_arch"])
    assert errors == {"A": [None] * 3, "B": [None] * 3}
    assert "have different teachers, named in teacher_arch (A, B), but no row of a teacher says there" in notes
    assert "Fill in teacher_arch in the rows of teachers." in notes


def test_teachers_are_told_apart_by_a_column_that_follows_from_those_that_name_cells():
    """The teacher's name changes with the task, so the task alone names the cells."""
    students = [{"task": "a", "group": 1}, {"task": "b", "group": 2}]
    teachers = [{"group": 1, "arch": "A"}, {"group": 2, "arch": "B"}]
    errors, notes = compare(make_students(students) + make_rows(TEACHER, teachers, errors=hash_row), ["task"])
    assert errors == {"a": [6500, 6501, 6502], "b": [6600, 6601, 6602]}
    assert notes == "Students are compared with the teacher of the same group and replicate."


@pytest.mark.parametrize(("replicates", "problem", "expected"), [
    ([100, 101, 102], "has no replicate in common with the students: the mean over its 3 rows is", 102),
    ([None] * 4, "has no names of replicates: the mean over its 4 rows is", 103),
    ([0, 1], "has only some of the students' replicates: the mean over its 2 rows is", 101),
    ([2, 100], "has only some of the students' replicates: the mean over its 2 rows is", 101),
    ([1], "has one row: it is", 100),
])  # fmt: skip
@pytest.mark.parametrize("role", ROLES)
def test_networks_in_other_replicates_are_averaged_and_that_is_said(role, replicates, problem, expected):
    errors = iter(range(100, 200, 2))
    rows = make_students(TASKS) + make_rows(role, [{}], replicates, errors=lambda cell, replicate: next(errors))
    by_task, notes = compare(rows, ["task"], role)
    assert by_task == {"a": [expected] * 3, "b": [expected] * 3}
    assert f"{problem} compared with every replicate." in notes
    assert "in the same replicate" not in notes


def test_only_those_networks_that_lack_replicates_are_averaged():
    rows = make_students(TASKS) + make_rows(BASELINE, TASKS, errors=lambda cell, replicate: replicate)
    rows = [row for row in rows if (row[MODEL], row.get("task"), row[REPLICATE]) != (BASELINE, "b", 0)]
    errors, notes = compare(rows, ["task"], BASELINE)
    assert errors == {"a": [0, 1, 2], "b": [1.5] * 3}
    assert "1 of 2 baselines (task b) has only some of the students' replicates: the mean over its 2 rows" in notes


def test_rows_of_other_replicates_are_named():
    errors, notes = compare(make_students(TASKS) + make_rows(TEACHER, TASKS, range(5)), ["task"])
    assert errors == {"a": [500] * 3, "b": [500] * 3}
    assert "4 rows of teachers match no student and are not used: the first has task a, replicate 3." in notes


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("replicates", [range(3), [None]])
def test_networks_that_stand_there_for_each_temperature_and_student_are_one(role, replicates):
    """Their T, and the settings of the loss, say nothing about them; rows that are not the same are averaged."""
    cells = [{**task, "alpha": alpha, "lr": lr} for task in TASKS for alpha in (0.1, 0.9) for lr in (1, 2)]
    rows = make_students(cells, replicates)
    networks = [{**cell, "log_T": x} for cell in cells for x in (0, 1)]
    rows += make_rows(role, networks, replicates, (1.0, 2.0, 4.0), lambda cell, _: BY_TASK[cell["task"]])
    errors, notes = compare(rows, ["task", "alpha", "lr"], role)
    assert all(set(values) == {BY_TASK[name[0]]} for name, values in errors.items())
    assert len(notes.splitlines()) == 1
    assert all(len(values) == len(replicates) for values in errors.values()), "copies are no replicates"


def test_repeated_rows_with_different_results_are_said_to_be_averaged():
    rows = make_students(TASKS)
    rows += [{**row, NUM_ERROR: 100 + row[TEMP]} for row in make_rows(BASELINE, TASKS, temperatures=(1.0, 2.0, 6.0))]
    errors, notes = compare(rows, ["task"], BASELINE)
    assert errors == {"a": [103] * 3, "b": [103] * 3}
    assert "6 replicates of baselines have several rows with different results: the mean over these is used." in notes


def test_a_label_of_each_row_tells_no_networks_apart():
    rows = make_students(TASKS)
    rows += [{**row, "weights_at": f"{i}.pt"} for i, row in enumerate(make_rows(TEACHER, TASKS))]
    errors, _ = compare(rows, ["task"])
    assert errors == {"a": [500] * 3, "b": [500] * 3}


@pytest.mark.parametrize(("student_value", "network_value"), [("10", "10.0"), (" a", "a"), ("0.1", "1e-1")])
def test_numbers_that_are_written_as_text_are_numbers(student_value, network_value):
    rows = make_students([{"key": student_value}, {"key": "b"}])
    rows += make_rows(TEACHER, [{"key": network_value}, {"key": "b"}], errors=lambda cell, _: len(cell["key"]))
    errors, _ = compare(rows, ["key"])
    assert errors == {student_value: [len(network_value)] * 3, "b": [1] * 3}


def test_texts_that_differ_stay_apart_where_students_have_both():
    rows = make_students([{"key": "1"}, {"key": "01"}])
    rows += make_rows(TEACHER, [{"key": "1"}, {"key": "01"}], errors=lambda cell, _: len(cell["key"]))
    assert compare(rows, ["key"])[0] == {"1": [1] * 3, "01": [2] * 3}


def test_unpaired_runs_are_compared_with_all_rows():
    errors = iter(range(100, 120))
    rows = make_students(TASKS, [None]) + make_rows(BASELINE, TASKS, [None] * 4, errors=lambda *_: next(errors))
    by_task, notes = compare(rows, ["task"], BASELINE)
    assert {name: sorted(values) for name, values in by_task.items()} == {
        "a": [100, 101, 102, 103],
        "b": [104, 105, 106, 107],
    }
    assert notes == "Students are compared with the mean over the rows of the baseline of the same task."


def test_rows_that_leave_different_keys_empty_are_not_chosen_from():
    rows = make_students([{"task": task, "domain": domain} for task in "ab" for domain in "xy"])
    rows += make_rows(TEACHER, [{"task": "a"}, {"domain": "x"}])
    errors, notes = compare(rows, ["task", "domain"])
    assert errors == {("a", "x"): [None] * 3, ("a", "y"): [500] * 3, ("b", "x"): [500] * 3, ("b", "y"): [None] * 3}
    assert "1 of 4 settings (task a, domain x) are compared with no teacher, because several rows" in notes
    assert "leaves another one of task and domain empty. Fill these columns in." in notes
    assert "1 of 4 settings (task b, domain y) are compared with no teacher, because no row" in notes


def test_students_whose_ids_no_teacher_has_are_counted(rising):
    columns = ["class_sep", "p_informative", "width"]
    assert split_into_cells(rising, columns, VAL_NUM_ERROR).notes == []
    first_teacher = rising[rising[MODEL] == TEACHER].index[0]
    students_id = rising.loc[first_teacher, ID]
    n_students = int(((rising[MODEL] == STUDENT) & (rising[TEACHER_ID] == students_id)).sum())
    cells, notes = split_into_cells(rising.drop(index=first_teacher), columns, VAL_NUM_ERROR)
    assert len(notes) == 1
    assert notes[0].startswith(f"{n_students} distilled students of {(rising[MODEL] == STUDENT).sum():,} are compared")
    assert "teacher_id" in notes[0]
    assert sum(np.isnan(cell.teacher_measures[NUM_ERROR]).sum() for cell in cells) > 0


@pytest.mark.parametrize(("replicates", "expected"), [(range(3), [0, 1, 2]), ([5, 6], [5.5] * 3)])
def test_teachers_of_one_id_are_joined_by_replicate_or_averaged(replicates, expected):
    rows = [{**row, ID: f"s{i}", TEACHER_ID: "t"} for i, row in enumerate(make_students(TASKS))]
    rows += make_rows(TEACHER, [{ID: "t"}], replicates, errors=lambda _, replicate: replicate)
    errors, notes = compare(rows, ["task"])
    assert errors == {"a": expected, "b": expected}
    assert ("in their replicate" if len(replicates) == 3 else "the mean over these") in notes


@pytest.mark.parametrize("path", sorted(PUBLISHED.glob("*/table.parquet")), ids=lambda path: path.parent.name)
def test_of_sweeps_nothing_is_said(path):
    table = pd.read_parquet(path)
    assert split_into_cells(table, find_cell_columns(table), VAL_NUM_ERROR).notes == []


def test_a_sweep_whose_baseline_lacks_a_replicate_is_paired_and_quiet(rising):
    """It has failed, or is to come: what is there is compared as always."""
    assert {ID, TEACHER_ID, DATA_SEED} <= {*rising.columns}
    baseline = rising[rising[MODEL] == BASELINE].index[0]
    cells, notes = split_into_cells(rising.drop(index=baseline), ["class_sep", "p_informative", "width"], NUM_ERROR)
    assert notes == []
    assert sum(int(np.isnan(cell.baseline_measures[NUM_ERROR]).sum()) for cell in cells) == 1


def test_the_rows_of_a_cell_are_positions_among_the_networks():
    students = pd.DataFrame(make_students(TASKS)).assign(_cell=lambda frame: (frame["task"] == "b").astype(int))
    students = students.sort_values("_cell", kind="stable")
    networks = pd.DataFrame(make_rows(TEACHER, [{"task": "b"}, {"task": "a"}, {"task": "c"}]), index=range(50, 59))
    by_settings = match_teachers(students, networks, ["task"], [NUM_ERROR])
    assert [rows.tolist() for rows in by_settings.rows_of_cell] == [[3, 4, 5], [0, 1, 2]]
    by_id = match_teachers(
        students.assign(**{ID: "s", TEACHER_ID: students["task"]}), networks.assign(**{ID: networks["task"]}),
        ["task"], [NUM_ERROR],
    )  # fmt: skip
    assert [rows.tolist() for rows in by_id.rows_of_cell] == [[3], [0]]
    nothing = match_baselines(students, networks[:0], ["task"], [NUM_ERROR])
    assert [rows.tolist() for rows in nothing.rows_of_cell] == [[], []]
    assert nothing.notes == []
