"""Data sets that students and their teachers write in different ways, and what is said if none of them agrees."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kdtune
from kdtune.analysis.value_spellings import BLANK, encode_values
from tests.planted_tables import make_runs

TEACHER_ERRORS = (100, 2000)


def analyze(student_tasks, teacher_tasks, column="task", role="teacher"):
    students = pd.concat([make_runs().assign(model="distilled_student", **{column: task}) for task in student_tasks])
    networks = pd.DataFrame({"model": role, column: teacher_tasks})
    errors = list(TEACHER_ERRORS[: len(teacher_tasks)]) + [500] * (len(teacher_tasks) - 2)
    answer = kdtune.analyze(pd.concat([students, networks.assign(num_error=errors, val_num_error=errors)]))
    name = "teacher" if role == "teacher" else "baseline"
    compared = {}
    if name in answer.test:
        compared = answer.test.groupby(column)[name].unique().map(list).to_dict()
    return compared, " ".join(answer.matching_notes)


@pytest.mark.parametrize("role", ["teacher", "student"])
@pytest.mark.parametrize(
    ("student_tasks", "teacher_tasks"),
    [
        (["cifar10", "CIFAR100"], ["CIFAR10", "cifar100"]),
        (["cifar10", "CIFAR100"], ["cifar10", "Cifar-100"]),
        (["tiny_imagenet", "Tiny ImageNet 2"], ["Tiny ImageNet", "tiny-imagenet-2"]),
        (["a-1-10", "a110"], ["A_1_10", "A110"]),
    ],
)
@pytest.mark.parametrize("column", ["task", "data"])
def test_values_that_differ_in_spelling_only_are_the_same(student_tasks, teacher_tasks, column, role):
    compared, notes = analyze(student_tasks, teacher_tasks, column, role)
    assert compared == {task: [error] for task, error in zip(student_tasks, TEACHER_ERRORS, strict=True)}
    differing = [(own, other) for own, other in zip(student_tasks, teacher_tasks, strict=True) if own != other]
    assert f"Values of {column} that differ only in case, blanks, - or _ are the same" in notes
    for student_task, teacher_task in differing:
        assert f"{teacher_task} is {student_task} of students" in notes


def test_the_same_spelling_goes_before_a_similar_one():
    compared, notes = analyze(["cifar10", "svhn"], ["cifar10", "svhn", "SVHN"])
    assert compared == {"cifar10": [100], "svhn": [2000]}
    assert "differ only in case" not in notes


def test_students_of_two_spellings_are_two_settings():
    compared, notes = analyze(["cifar10", "CIFAR10"], ["cifar10", "svhn"])
    assert compared["cifar10"] == [100]
    assert pd.isna(compared["CIFAR10"][0])
    assert "no row of a teacher has their task" in notes


def test_where_no_value_agrees_no_teacher_is_proposed_for_all():
    compared, notes = analyze(["cifar10", "cifar100"], ["c10", "c100"])
    assert all(pd.isna(errors[0]) for errors in compared.values())
    assert "None has the students' task (cifar10, cifar100)" in notes
    assert "where=" not in notes
    compared, _ = analyze(["cifar10", "cifar100"], ["cifar10", "cifar100"])  # what the message says
    assert compared == {"cifar10": [100], "cifar100": [2000]}


VALUES = st.lists(st.sampled_from(["cifar10", "CIFAR10", "Cifar-10", "svhn", "SVHN", "1-1", "11", "1_1", "0.1", None]))


@given(cells=VALUES, networks=VALUES)
def test_no_two_values_become_one_and_equal_ones_stay_equal(cells, networks):
    numbers = encode_values(pd.Series(cells, dtype=object), pd.Series(networks, dtype=object))
    for values, part in zip((cells, networks), numbers, strict=True):
        pairs = set(zip(values, part.tolist(), strict=True))
        assert len(pairs) == len(set(values)) == len(set(part.tolist()))
        assert all((value is None) == (number == BLANK) for value, number in pairs)
    for value, number in zip(cells, numbers[0], strict=True):
        if value in networks:
            assert numbers[1][networks.index(value)] == number
