"""Settings that change together with a factor are named in its sentence, wherever they stand; others never are."""

from __future__ import annotations

import html
import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdtune.analysis.answer import Answer, analyze_table
from kdtune.analysis.answer_files import write_answer
from kdtune.analysis.cell import Cell
from kdtune.analysis.margins import Margins
from kdtune.analysis.printed_effects import format_effects
from kdtune.analysis.printed_tables import list_findings
from kdtune.analysis.twins import Twins, find_side_settings, find_twins
from kdtune.columns import DONE, MODEL, NUM_ERROR, REPLICATE, STATUS, STUDENT, TEMP, VAL_NUM_ERROR
from kdtune.plots.report import write_report
from tests.openings import join_opening

PUBLISHED = Path(__file__).parents[1] / "results" / "published"
TEMPERATURES = (1, 1.4, 2, 2.8, 4, 5.6, 8, 11, 16)
# Settings that change together.
CONFOUNDED = [
    {"width": 10, "dataset": "cifar10", "teacher_width": 100, "lr": 0.1, "n_train": 50_000},
    {"width": 40, "dataset": "mnist", "teacher_width": 400, "lr": 0.01, "n_train": 60_000},
]
TWINS = "dataset, lr, n_train and teacher_width"


def make_table(cells: list[dict], n_replicates: int = 4, slope: float = 1.0) -> pd.DataFrame:
    """Students of these cells; the best T is 2 at width 10, and rises with the width to the power of ``slope``."""
    random = np.random.default_rng(0)
    rows = []
    for cell, replicate in itertools.product(cells, range(n_replicates)):
        best_x = 1 + slope * np.log2(cell.get("width", 10) / 10)
        for T in TEMPERATURES:
            errors = 150 * (1 + 0.2 * (np.log2(T) - best_x) ** 2) + random.normal(0, 3, 2)
            val_num_error, num_error = errors.round()
            measures = {VAL_NUM_ERROR: val_num_error, NUM_ERROR: num_error}
            rows.append({TEMP: T, REPLICATE: replicate, **cell, **measures})
    return pd.DataFrame(rows).assign(**{MODEL: STUDENT, STATUS: DONE})


def read_sentences(answer: Answer) -> dict[str, str]:
    return dict(zip(answer.effects["factor"], answer.effects["sentence"], strict=True))


def find_twins_of(cells: list[dict], columns: list[str], factor: str) -> Twins:
    """The twins of a factor in a table with these cells, without the estimate of effects."""
    table = make_table(cells, 1)
    names = table[columns].drop_duplicates().to_dict("records")
    compared = [Cell(row, np.array(TEMPERATURES), [0], {}, {}, {}) for row in names]
    return find_twins(compared, find_side_settings(table, columns), factor)


def test_the_settings_that_change_with_the_width_are_named_everywhere(tmp_path):
    table = make_table(CONFOUNDED)
    answer = analyze_table(table)
    name = f"the student's width (which changes together with {TWINS}, so which of them matters cannot be told)"
    assert join_opening(answer).endswith(f"The best T rises with {name}.")
    assert list_findings(answer)[0].startswith(
        f"The best T rises with {name}: per doubling of the student's width the best T is "
    )
    assert list(answer.effects["together_with"]) == ["dataset, lr, n_train, teacher_width"]
    assert list(format_effects(answer)["changes together with"]) == ["dataset, lr, n_train, teacher_width"]
    write_answer(answer, tmp_path)
    effect = json.loads((tmp_path / "analysis.json").read_text(encoding="utf-8"))["effects"][0]
    assert effect["together_with"] == "dataset, lr, n_train, teacher_width"
    assert name in effect["sentence"]
    write_report(table, answer, tmp_path / "report.html", "confounded")
    page = html.unescape((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.count(f"rises with {name}") == 2  # in the headline and among the findings


def test_twins_that_name_cells_are_named_where_no_two_cells_differ_in_the_factor_alone():
    sentences = read_sentences(analyze_table(make_table(CONFOUNDED), ["width", "dataset", "lr"]))
    assert sentences["width"] == (
        f"Cannot tell whether the best T depends on the student's width (which changes together with {TWINS}): "
        "no two settings differ only in this factor."
    )
    # What follows from the data set itself is no twin of it: the number of training examples.
    assert "dataset (which changes together with lr, teacher_width and width)" in sentences["dataset"]


def test_a_finding_of_no_effect_says_that_effects_may_hide_each_other():
    table = make_table([{"width": width, "lr": width / 100} for width in (10, 20, 40)], 20, slope=0)
    answer = analyze_table(table, margins=Margins(effect=0.7))
    assert (
        "the student's width (which changes together with lr, so opposite effects may hide each other)."
        in join_opening(answer)
    )


def test_a_text_is_named_with_its_twins():
    optimizers = [
        {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9},
        {"optimizer": "adam", "lr": 0.001, "momentum": None},
    ]
    answer = analyze_table(make_table([{"width": 10, **optimizer} for optimizer in optimizers]))
    # Adam has no momentum: that follows from its name.
    assert "depends on optimizer (which changes together with lr):" in read_sentences(answer)["optimizer"]
    assert join_opening(answer).endswith("depends on optimizer (which changes together with lr) cannot be told.")


def test_a_twin_within_each_block_is_found():
    lrs = {(0.2, 10): 0.1, (0.2, 40): 0.2, (1.0, 10): 0.3, (1.0, 40): 0.4}
    cells = [{"class_sep": sep, "width": width, "lr": lr} for (sep, width), lr in lrs.items()]
    assert find_twins_of(cells, ["class_sep", "width"], "width") == Twins(("lr",))
    assert find_twins_of(cells, ["class_sep", "width"], "class_sep") == Twins(("lr",))
    assert "(which changes together with lr)" in read_sentences(analyze_table(make_table(cells)))["width"]


def test_a_column_that_changes_between_some_of_the_compared_cells_is_a_twin_in_part():
    cells = [{"width": 10, "n_train": 50_000}, {"width": 20, "n_train": 50_000}, {"width": 40, "n_train": 10_000}]
    answer = analyze_table(make_table(cells))
    assert (
        "width (which changes in part together with n_train, so which of them matters cannot be told)"
        in join_opening(answer)
    )
    assert list(answer.effects["together_with"]) == ["n_train (in part)"]
    with_both = [{**cell, "epochs": cell["width"]} for cell in cells]
    sentence = read_sentences(analyze_table(make_table(with_both)))["width"]
    assert "width (which changes together with epochs and, in part, with n_train, so which" in sentence


def test_a_latin_square_names_what_changes_in_part():
    cells = [{"a": i, "b": j, "c": (i + j) % 3} for i, j in itertools.product(range(3), repeat=2)]
    assert find_twins_of(cells, ["a", "b", "c"], "a") == Twins((), ("b", "c"))


def test_what_follows_from_a_factor_is_no_twin():
    sizes = [{"width": width, "hidden": f"{width}-{width}", "n_params": width**2} for width in (10, 20, 40)]
    answer = analyze_table(make_table(sizes))
    assert "together" not in join_opening(answer)
    assert "together_with" not in answer.effects
    assert find_twins_of(sizes, ["width"], "width") == Twins()
    # Of another factor they are twins.
    cells = [{**cell, "lr": 1 / cell["width"]} for cell in sizes]
    assert find_twins_of(cells, ["lr"], "lr") == Twins(("hidden", "n_params", "width"))


def test_only_the_cells_that_an_effect_comes_from_are_compared():
    cells = [{"width": 10, "n_train": 5}, {"width": 20, "n_train": 5}, {"width": 40, "n_train": 1}]
    table = make_table(cells)
    few_temperatures = table[(table["width"] < 40) | (table[TEMP] < 4)]  # width 40 has no smooth curve
    assert "together" not in join_opening(analyze_table(few_temperatures))


def test_many_twins_are_counted_in_sentences_and_listed_in_the_frame():
    names = [f"option_{i:02}" for i in range(12)]
    cells = [{"width": width, **dict.fromkeys(names, width)} for width in (10, 40)]
    answer = analyze_table(make_table(cells))
    assert "option_06, option_07 and 4 more, so which of them" in join_opening(answer)
    assert list(answer.effects["together_with"]) == [", ".join(names)]


NAMES = st.from_regex(r"[a-z]{3,8}(_[a-z]{2,5})?", fullmatch=True).map(lambda name: f"x{name}")
VALUES = st.sampled_from(
    [("cifar10", "mnist", "svhn"), (0.1, 0.01, 0.001), (100, 200, 400), (True, False, None), (None, "a", "b")]
)


@given(st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=4, unique_by=lambda twin: twin[0]), st.data())
@settings(max_examples=12, deadline=None)
@pytest.mark.slow
def test_planted_twins_are_always_named(twins, data):
    cells = [{"width": width, **{name: values[i] for name, values in twins}} for i, width in enumerate((10, 20, 40))]
    if data.draw(st.booleans(), label="blocks"):
        cells = [{**cell, "class_sep": sep} for cell in cells for sep in (0.2, 1.0)]
    table = make_table(cells, 3)
    columns = data.draw(st.permutations(list(table.columns)), label="order of columns")
    table = table[columns].sample(frac=1, random_state=data.draw(st.integers(0, 9), label="order of rows"))
    answer = analyze_table(table)
    row = answer.effects.set_index("factor").loc["width"]
    for name, _ in twins:
        assert name in row["together_with"].split(", ")
        assert name in row["sentence"]
        assert name in join_opening(answer)
    assert "width" not in row["together_with"]


@given(st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=2, unique_by=lambda column: column[0]), st.data())
@settings(max_examples=9, deadline=None)
@pytest.mark.slow
def test_independent_settings_are_never_named_together(factors, data):
    levels = [(10, 40), *(values[:2] for _, values in factors)]
    names = ["width", *(name for name, _ in factors)]
    cells = [dict(zip(names, values, strict=True)) for values in itertools.product(*levels)]
    table = make_table(cells, 3)
    table = table[data.draw(st.permutations(list(table.columns)), label="order of columns")]
    for columns in (None, names):
        answer = analyze_table(table, columns)
        assert "together_with" not in answer.effects
        assert not answer.effects["sentence"].str.contains("together").any()
        assert "together" not in join_opening(answer)


@pytest.mark.parametrize("name", sorted(path.parent.name for path in PUBLISHED.glob("*/table.parquet")))
def test_of_the_published_sweeps_two_have_twins(name):
    answer = analyze_table(pd.read_parquet(PUBLISHED / name / "table.parquet"))
    twins = {
        effect.factor: (effect.twins.full, effect.twins.partial)
        for effect in answer.factor_effects
        if any(effect.twins)
    }
    # Each optimizer has a learning rate and momentum of its own; the tutorial's teachers train in different ways; what
    # stands beside the study has three of its data sets, or two, which differ in both settings of the data.
    teacher_settings = ("teacher_batch_size", "teacher_dropout", "teacher_epochs", "teacher_lr")
    of_data = {"class_sep": (("p_informative",), ()), "p_informative": (("class_sep",), ())}
    expected = {
        "fakeset-optimizers": {"optimizer": (("lr", "momentum"), ())},
        "mnist": {"teacher_architecture": (teacher_settings, ())},
        **dict.fromkeys(("fakeset-study-replicates", "fakeset-study-teachers", "fakeset-study-rate"), of_data),
    }
    assert twins == expected.get(name, {})
    assert ("together_with" in answer.effects) == (name in expected)
    assert answer.reserve == ""
