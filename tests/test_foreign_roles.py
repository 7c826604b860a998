"""Rows without T are teachers and baselines where a column says so; else the message says how to mark them."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kdtune
from kdtune.errors import RequestError
from tests.mended_tables import run_command
from tests.planted_tables import BEST, make_runs

BASELINE_ERRORS = 364


def make_networks(column: str, student: object, baseline: object, teacher: object = None) -> pd.DataFrame:
    """Return runs, baselines and, if they have a value, teachers; the last two have no T."""
    runs = make_runs().assign(**{column: student})
    errors = {baseline: BASELINE_ERRORS} if teacher is None else {baseline: BASELINE_ERRORS, teacher: 80}
    others = [
        runs[runs["temp"] == 1].assign(
            **{column: value, "temp": None, "num_error": count, "val_num_error": count + runs["replicate"]}
        )
        for value, count in errors.items()
    ]
    return pd.concat([runs, *others], ignore_index=True)


def check(answer: kdtune.Answer, *, has_teacher: bool = False) -> str:
    """Check that the planted answer is found, and return the notes."""
    assert answer.cell_columns == ["width"]
    assert answer.t_opt["T_opt"].tolist() == list(BEST.values())
    np.testing.assert_allclose(answer.test["baseline"], BASELINE_ERRORS)
    if has_teacher:
        np.testing.assert_allclose(answer.test["teacher"], 80)
    assert not answer.reserve
    return " ".join(answer.reading_notes)


def mend(message: str) -> str:
    """Type the command of pandas in a message, and return the file that it writes."""
    words = shlex.split(re.search(r"python -c (?:'[^']*'(?:\"'\"'[^']*')*)", message)[0])  # type: ignore[index]
    subprocess.run([sys.executable, *words[1:]], check=True)
    return re.search(r"\(it writes (.+?); analyze that\)", message)[1]  # type: ignore[index]


def refuse(source: object, **options: object) -> str:
    with pytest.raises(RequestError) as raised:
        kdtune.analyze(source, **options)  # type: ignore[arg-type]
    return str(raised.value)


@pytest.mark.parametrize(
    ("name", "student", "baseline"),
    [
        ("kd", True, False),
        ("kd.enabled", "true", "false"),
        ("config.use_kd", 1, 0),
        ("is_distilled", "yes", "no"),
        ("is_baseline", False, True),
        ("method", "KD", "CE"),
        ("loss_type", "kd", "ce"),
    ],
)
def test_a_truth_that_agrees_with_temperatures_is_the_role(name: str, student: object, baseline: object) -> None:
    networks = make_networks(name, student, baseline)
    notes = check(kdtune.analyze(networks))
    assert f"The role of a network is the column {name}; its rows are 50 distilled students" in notes
    check(kdtune.analyze(networks, map={"model": name}))


@pytest.mark.parametrize(
    ("name", "values"), [("use_kd", (True, False)), ("loss_type", ("kd", "ce")), ("is_baseline", (1, 0))]
)
def test_a_truth_that_does_not_agree_with_temperatures_is_a_setting(name: str, values: tuple[object, object]) -> None:
    both = pd.concat([make_runs().assign(**{name: value}) for value in values], ignore_index=True)
    assert sorted(kdtune.analyze(both).cell_columns or []) == sorted([name, "width"])


def test_a_text_with_one_word_for_a_role_is_that_role() -> None:
    networks = make_networks("method", "KD (ours)", "CE baseline", "teacher")
    notes = check(kdtune.analyze(networks), has_teacher=True)
    assert "'CE baseline' in method is read as a baseline." in notes
    assert "'KD (ours)' in method is read as a distilled student." in notes
    check(kdtune.analyze(networks, map={"model": "method"}), has_teacher=True)


@pytest.mark.parametrize("baseline", ["KD baseline", "without KD", "mean teacher", "teacher assistant"])
def test_a_text_of_doubtful_meaning_is_no_role(baseline: str) -> None:
    message = refuse(make_networks("method", "KD", baseline))
    assert f"method has {baseline!r} in these rows and 'KD' in the others" in message


def test_two_methods_do_not_become_one_role() -> None:
    runs = make_runs()
    both = pd.concat([runs.assign(method="KD + attention"), runs.assign(method="KD")], ignore_index=True)
    assert sorted(kdtune.analyze(both).cell_columns or []) == ["method", "width"]
    message = refuse(both, map={"model": "method"})
    assert "method has 'KD + attention', which kdtune does not know as the role" in message


def test_the_message_names_the_column_that_separates_rows_without_temperatures(tmp_path: Path) -> None:
    networks = make_networks("exp", "distill-a", "plain, big", "the teacher's")
    path = tmp_path / "my runs.csv"
    networks.to_csv(path, index=False)
    message = refuse(path)
    assert "in rows of teachers write 'teacher'" in message
    assert "exp has 'plain, big' and \"the teacher's\" in these rows and 'distill-a' in the others" in message
    check(kdtune.analyze(mend(message)), has_teacher=True)
    in_python = refuse(networks)
    assert 'frame["model"] = frame["exp"].map({"plain, big": "student", "the teacher\'s": "teacher"' in in_python
    assert "python -c" not in in_python


def test_a_table_with_models_gets_another_column_of_roles(tmp_path: Path) -> None:
    networks = make_networks("exp", "a", "b").assign(model="resnet")
    path = tmp_path / "runs.csv"
    networks.to_csv(path, index=False)
    message = refuse(path)
    assert "add a column role with 'student'" in message
    check(kdtune.analyze(mend(message)))


def test_the_message_mends_a_table_of_which_no_column_tells_the_roles(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    make_networks("exp", "a", "b").drop(columns="exp").to_csv(path, index=False, sep=";", decimal=",")
    check(kdtune.analyze(mend(refuse(path))))


def test_a_mapped_column_that_does_not_help_is_named() -> None:
    networks = make_networks("exp", "a", "b")
    message = refuse(networks, map={"model": "exp"})
    assert "does not help: exp has 'a' and 'b', of which kdtune knows none as a role" in message


def test_unknown_roles_of_rows_without_temperatures_are_mended_by_the_message(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    make_networks("role", "kd", "plain", "big teacher assistant").to_csv(path, index=False)
    message = refuse(path)
    assert "role has 'plain' and 'big teacher assistant', which kdtune does not know as the role" in message
    check(kdtune.analyze(mend(message)), has_teacher=True)


def test_very_different_baselines_of_one_seed_get_a_reserve() -> None:
    networks = make_networks("model", "distilled_student", "student", "teacher")
    check(kdtune.analyze(networks), has_teacher=True)
    answer = kdtune.analyze(networks.replace({"model": {"teacher": "student"}}))
    start = "Baselines of one setting and seed have very different errors (80 and 364; so it is in 10 of 10 cases)"
    assert answer.reserve.startswith(start)
    twice = pd.concat([networks, networks[networks["model"] == "student"].assign(num_error=370, val_num_error=371)])
    assert not kdtune.analyze(twice).reserve


@pytest.mark.parametrize("label", ["T=", "tau = ", "τ=", "temp:"])
def test_texts_with_the_name_of_temperatures_are_read(label: str) -> None:
    networks = make_networks("kd", True, False).rename(columns={"temp": "T"})
    texts = networks.assign(T=networks["T"].map(lambda T: "none" if pd.isna(T) else f"{label}{T:g}"))
    notes = check(kdtune.analyze(texts))
    assert f"T has texts such as {label + '1'!r} in 50 rows: the number is taken for T." in notes
    assert "'none' is read as a missing value in T (10 rows)." in notes


def test_wrong_temperatures_are_counted_apart_and_mended(tmp_path: Path) -> None:
    runs = make_runs()
    texts = runs.assign(temp=runs["temp"].map(lambda T: "hot" if T == 1 else "cold" if T == 2 else f"{T:g}"))
    assert "not 'hot' (10 rows) or 'cold' (10 rows), as in 20 rows" in refuse(texts)
    path = tmp_path / "runs.csv"
    runs.assign(temp=runs["temp"].map("{:g} (soft)".format)).to_csv(path, index=False)
    assert kdtune.analyze(mend(refuse(path))).t_opt["T_opt"].tolist() == list(BEST.values())
    networks = make_networks("kd", True, False).astype({"temp": object}).fillna({"temp": "only labels"})
    networks.to_csv(path, index=False)
    message = refuse(path)
    assert "If they are words for no temperature" in message
    check(kdtune.analyze(mend(message)))


@pytest.mark.parametrize(("name", "weight", "T"), [("alpha", 0, 1), ("config.kd_alpha", 0, 4), ("hard_weight", 1, 1)])
def test_a_weight_that_leaves_the_labels_alone_makes_baselines_whatever_their_temperature(
    name: str, weight: float, T: float
) -> None:
    networks = make_networks(name, 0.5, weight).fillna({"temp": T})
    notes = check(kdtune.analyze(networks))
    assert f"10 rows with {name} = {weight} are baselines, trained on labels alone: their T, always {T}, " in notes
    stated = kdtune.analyze(networks.assign(model="distilled_student"))
    assert sorted(stated.cell_columns or []) == sorted([name, "width"])
    assert sorted(kdtune.analyze(networks, cell=["width", name]).cell_columns or []) == sorted([name, "width"])


def test_a_weight_whose_rows_have_several_temperatures_is_a_setting() -> None:
    grid = pd.concat([make_runs().assign(alpha=alpha) for alpha in (0, 0.5)], ignore_index=True)
    assert sorted(kdtune.analyze(grid).cell_columns or []) == ["alpha", "width"]
    of_alpha = [make_runs(temperatures=[4.0]).assign(alpha=alpha) for alpha in (0, 0.25)]
    study = pd.concat([make_runs().assign(alpha=0.5), *of_alpha], ignore_index=True)
    assert sorted(kdtune.analyze(study).cell_columns or []) == ["alpha", "width"]
    hard = make_networks("hard_weight", 0.0, 1.0).fillna({"temp": 4})
    assert sorted(kdtune.analyze(hard).cell_columns or []) == ["hard_weight", "width"]


def test_a_mapped_truth_of_any_name_is_read_where_temperatures_tell_its_meaning() -> None:
    check(kdtune.analyze(make_networks("flag", 0, 1), map={"model": "flag"}))
    networks = make_networks("flag", "a", "b").assign(flag=lambda runs: runs["flag"] + "!")
    message = refuse(networks, map={"model": "flag"})
    step = re.search(r"pandas does it: (frame.*?[)])[.]", message)
    assert step is not None
    names = {"frame": networks.copy()}
    exec(step[1], names)
    check(kdtune.analyze(names["frame"]))


def test_a_column_of_temperatures_without_any_is_not_mended() -> None:
    message = refuse(make_runs().assign(temp=None, tau=None), map={"temp": "tau"})
    assert message.startswith("tau is empty or 0 in 50 rows")
    assert message.endswith('Name another column of temperatures: map={"temp": "NAME"}')


@pytest.mark.parametrize("options", [{}, {"map": {"model": "Job Type"}}])
def test_roles_in_words_of_a_tracker_are_asked_for_where_all_rows_have_a_temperature(tmp_path, options):
    runs = make_runs().assign(**{"Job Type": "train_student"})
    baselines = runs[runs["temp"] == 1].assign(**{"Job Type": "train_scratch"})
    teachers = baselines[baselines["width"] == 10].assign(**{"Job Type": "train_teacher"}, width=999)
    path = tmp_path / "runs.csv"
    pd.concat([baselines.assign(num_error=900, val_num_error=900), teachers, runs]).to_csv(path, index=False)
    with pytest.raises(RequestError, match="Job Type") as refusal:
        kdtune.analyze(path, **options)
    answer = kdtune.analyze(run_command(str(refusal.value)))
    assert dict(zip(answer.t_opt["width"], answer.t_opt["T_opt"], strict=True)) == BEST
    assert "10 baselines" in " ".join(answer.reading_notes)


def test_a_column_that_is_mapped_to_roles_must_say_them():
    with pytest.raises(RequestError, match=r"cannot tell which role each value says \('a' and 'b'\)"):
        kdtune.analyze(make_runs().assign(what=np.resize(["a", "b"], 50)), map={"model": "what"})
