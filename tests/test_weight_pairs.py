"""T and the weight of the labels chosen together: against known answers, and against the comparison of T alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdtune.analysis.answer import analyze_table
from kdtune.analysis.answer_files import write_answer
from kdtune.analysis.weight_pairs import explain_pairs, format_pairs
from kdtune.columns import BASELINE, STUDENT, TEACHER

TEMPERATURES = (1.0, 2.0, 4.0)


def make_table(means: dict[float, tuple[float, ...]], replicates: int = 6, noise: float = 1.0) -> pd.DataFrame:
    """Make a table of students of one width: mean errors by weight and T, with noise and levels of the replicates."""
    random = np.random.default_rng(0)
    levels = random.normal(0, 30, replicates)
    common = {"width": 8, "n_params": 100, "status": "done"}
    rows = []
    for replicate in range(replicates):
        names = {"replicate": replicate, **common}
        rows.append({**names, "model": TEACHER, "val_num_error": 10.0, "num_error": 20.0})
        rows.append({**names, "model": BASELINE, "val_num_error": 300.0, "num_error": 310.0})
        for weight, errors in means.items():
            for T, mean in zip(TEMPERATURES, errors, strict=True):
                value = mean + levels[replicate] + random.normal(0, noise)
                student = {"model": STUDENT, "hard_weight": weight, "temp": T}
                rows.append({**names, **student, "val_num_error": value, "num_error": value + 50})
    table = pd.DataFrame(rows)
    return table.assign(id=[str(number) for number in range(len(table))])


def test_the_best_pair_and_what_is_tied_with_it():
    table = make_table({0.0: (200, 180, 150), 0.5: (180, 150, 160), 2.0: (190, 185, 180)})
    (pair,) = analyze_table(table).pairs.to_dict("records")
    assert (pair["width"], pair["replicates"]) == (8, 6)
    assert (pair["T"], pair["hard_weight"]) in [(4.0, 0.0), (2.0, 0.5)]
    assert pair["tied"] == {0.0: [4.0], 0.5: [2.0]}
    assert pair["weights_left_out"] == [2.0]
    assert not pair["is_weight_at_end"]
    assert pair["student"] == pytest.approx(200, abs=30)


def test_the_largest_weight_is_at_the_end_of_the_grid():
    answer = analyze_table(make_table({0.0: (200, 180, 190), 2.0: (150, 120, 140)}))
    assert answer.pairs["is_weight_at_end"].tolist() == [True]
    assert "a larger one may be better" in " ".join(explain_pairs(answer.pairs))
    assert format_pairs(answer.pairs, answer.cells)["statistically tied"].tolist() == ["2: T 2"]


def test_weights_that_change_nothing_are_tied():
    answer = analyze_table(make_table({0.0: (200, 200, 200), 0.5: (200, 200, 200)}, noise=5))
    assert answer.pairs["weights_left_out"].tolist() == [[]]
    assert "none of those that were tried is told apart" in " ".join(explain_pairs(answer.pairs))


def test_one_weight_makes_no_pairs(tmp_path):
    answer = analyze_table(make_table({0.5: (200, 180, 190)}))
    assert answer.pairs.empty
    assert "pairs.parquet" not in {path.name for path in write_answer(answer, tmp_path)}


def test_pairs_are_written_beside_the_answer(tmp_path):
    answer = analyze_table(make_table({0.0: (200, 180, 150), 0.5: (180, 150, 160)}))
    write_answer(answer, tmp_path)
    assert pd.read_parquet(tmp_path / "pairs.parquet")["tied"].tolist() == ['{"0": [4.0], "0.5": [2.0]}']


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(6 * 8)), st.sampled_from([0.5, 20.0]))
def test_the_order_of_rows_and_a_level_of_all_errors_change_nothing(order, noise):
    table = make_table({0.0: (200, 180, 150), 0.5: (180, 150, 160)}, noise=noise)
    (pair,) = analyze_table(table).pairs.to_dict("records")
    assert pair["T"] in pair["tied"][pair["hard_weight"]]
    (same,) = analyze_table(table.iloc[list(order)]).pairs.to_dict("records")
    assert (same["T"], same["hard_weight"], same["tied"]) == (pair["T"], pair["hard_weight"], pair["tied"])
