"""Data sets that exist once: which cells share them, what intervals add for them, and what answers say of them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

import kdtune
from kdtune.analysis.answer import analyze_table
from kdtune.analysis.coverage_texts import describe_coverage
from kdtune.analysis.finite_sets import FiniteData, find_finite_data, list_sources
from kdtune.analysis.sampling_errors import (
    BASELINE_KIND,
    TEACHER_KIND,
    SamplingErrors,
    estimate_sampling_errors,
    estimate_selection_variance,
)
from kdtune.analysis.usable_cells import number_independent_sets
from kdtune.columns import (
    DATA_SEED,
    DATASET,
    ID,
    MODEL,
    N_TEST,
    N_TRAIN,
    NUM_ERROR,
    STUDENT,
    TEST_ERRORS,
    VAL_NLL,
    VAL_NUM_ERROR,
)
from kdtune.errors_by_example import read_errors_by_example
from kdtune.statistics.example_errors import estimate_sampling_covariance, pack_into_words
from kdtune.statistics.intervals import estimate_ratio, t_interval
from kdtune.table_facts import GENERATED, SPLIT, VALIDATION, AnswerFacts, DataSource, find_facts, stamp_facts

# Statistics.


@given(hnp.arrays(bool, st.tuples(st.integers(1, 3), st.integers(2, 4), st.integers(2, 90))))
def test_the_covariance_over_examples_is_that_of_pairs_of_different_replicates(is_wrong):
    n_kinds, n_replicates, n_examples = is_wrong.shape
    rows = [np.packbits(row).tobytes() for row in is_wrong.reshape(-1, n_examples)]
    words = pack_into_words(rows).reshape(n_kinds, n_replicates, -1)
    expected = np.zeros((n_kinds, n_kinds))
    for a in range(n_kinds):
        for b in range(n_kinds):
            covariances = [
                np.cov(is_wrong[a, r], is_wrong[b, s])[0, 1] * n_examples
                for r in range(n_replicates)
                for s in range(n_replicates)
                if r != s
            ]
            expected[a, b] = np.mean(covariances)
    np.testing.assert_allclose(estimate_sampling_covariance(words, n_examples), expected, atol=1e-9)


def test_a_single_replicate_does_not_tell_difficulty_from_luck():
    words = pack_into_words([np.packbits(np.arange(70) % 3 == 0).tobytes()]).reshape(1, 1, -1)
    assert np.isnan(estimate_sampling_covariance(words, 70)).all()


def test_t_intervals_add_what_a_finite_set_hides():
    values = np.array([3.0, 5, 4, 8, 6])
    variance, t = values.var(ddof=1), stats.t.ppf(0.975, 4)
    low, high = t_interval(values, overlap=0.25)  # Nadeau and Bengio 2003
    assert (high - low) / 2 == pytest.approx(t * math.sqrt(variance * (1 / 5 + 0.25)))
    low, high = t_interval(values, sampling_variance=2.0)
    assert (high - low) / 2 == pytest.approx(math.sqrt(t**2 * variance / 5 + stats.norm.ppf(0.975) ** 2 * 2))
    for nothing in (0.0, -3.0, math.nan):
        assert t_interval(values, sampling_variance=nothing) == t_interval(values)


def test_ratios_solve_for_the_same_margin():
    random = np.random.default_rng(5)
    numerator, denominator = 20 + random.normal(size=6), 40 + random.normal(size=6)
    covariance = np.array([[4.0, 1], [1, 9]])
    ratio = estimate_ratio(numerator, denominator, overlap=0.2, sampling_covariance=covariance)
    for end in ratio[1:]:
        weights = np.array([1, -end])
        residual = numerator - end * denominator
        squares = stats.t.ppf(0.975, 5) ** 2 * residual.var(ddof=1) * (1 / 6 + 0.2)
        squares += stats.norm.ppf(0.975) ** 2 * weights @ covariance @ weights
        assert residual.mean() ** 2 == pytest.approx(squares)


def test_variances_of_differences_and_gaps_are_never_negative():
    pairs = {("a", "a"): 1.0, (BASELINE_KIND, BASELINE_KIND): 1.0, (TEACHER_KIND, TEACHER_KIND): 0.5}
    shared = {pair: 1.2 for a in ("a", BASELINE_KIND) for b in ("a", BASELINE_KIND) if (pair := (a, b)) not in pairs}
    errors = SamplingErrors(pairs | shared)
    assert errors.of_difference("a", BASELINE_KIND) == 0
    assert np.linalg.eigvalsh(errors.of_gap("a")).min() >= -1e-12
    assert errors.of_difference("a", "unknown") == 0
    assert not SamplingErrors({}).of_gap("a").any()


# Which cells share data.


def make_table(names, seeds):
    return pd.DataFrame({MODEL: STUDENT, DATASET: names, DATA_SEED: seeds})


def test_one_content_under_two_names_is_one_set():
    facts = AnswerFacts(
        {SPLIT: ["a", "b"], VALIDATION: ["c"], GENERATED: ["g"]},
        sources=[DataSource("a", "1", 90), DataSource("b", "1", 90), DataSource("c", "2", 50), DataSource("a", "3", 8)],
    )
    _, data = find_finite_data(make_table(list("abcg"), range(4)), facts)
    assert data is not None
    assert data.numbers["a"] == data.numbers["b"] != data.numbers["c"]
    assert "g" not in data.numbers


def test_cuts_have_an_overlap_and_given_test_data_stay():
    data = FiniteData({"a": DataSource("a", "1", 100), "c": DataSource("c", "2", 50)}, {"a": 0, "c": 1}, frozenset("a"))
    cuts = data.describe_cell({DATASET: "a", N_TRAIN: 7, "n_val": 8, N_TEST: 20}, 5)
    assert (cuts.source, cuts.overlap, cuts.n_test) == (0, 20 / 72, 0)  # N_TRAIN may be that of a transfer set.
    fixed = data.describe_cell({DATASET: "c", N_TRAIN: 40, N_TEST: 20}, 5)
    assert (fixed.source, fixed.overlap, fixed.n_test, fixed.has_fixed_validation) == (1, 0, 20, False)
    one_draw = data.describe_cell({DATASET: "a", N_TRAIN: 72, N_TEST: 20}, 1)
    assert (one_draw.overlap, one_draw.n_test, one_draw.has_fixed_validation) == (0, 20, True)
    assert data.describe_cell({DATASET: "generated", N_TEST: 20}, 5) is None
    assert data.describe_cell({DATASET: "generated", N_TEST: 20}, 1).n_test == 20


def test_a_table_that_lists_no_sources_says_what_is_generated():
    table = make_table(["digits", "g", "fixed"], [1, 2, 3])
    facts = AnswerFacts({SPLIT: ["digits"], GENERATED: ["g"]})
    assert [source.name for source in list_sources(table, facts)] == ["digits", "fixed"]
    assert list_sources(table, AnswerFacts()) == []
    assert find_finite_data(table, None)[1] is None


def test_sources_survive_the_metadata_of_a_table():
    facts = AnswerFacts({SPLIT: ["a"]}, sources=[DataSource("a", "hash", 1797, "images")])
    assert find_facts(stamp_facts(pa.table({"a": [1]}), facts)) == facts


# From a sweep to its answer.


NETWORKS = {
    "teacher": {"kind": "mlp", "hidden": [8]},
    "student": {"width": 3},
    "distill": {"T": {"grid_search": [1, 4]}},
    "train": {"epochs": 2, "batch_size": 20},
}


@pytest.fixture
def arrays():
    random = np.random.default_rng(3)
    x = random.normal(size=(200, 5)).astype(np.float32)
    return x, (x[:, 0] + 0.7 * random.normal(size=200) > 0).astype(np.int64)


def sweep(name, dataset, **settings):
    mapping = {"name": name, "dataset": dataset, "replicates": 4, **NETWORKS, **settings}
    return kdtune.sweep(mapping, workers=0, progress=False)


def test_the_same_images_under_two_values_of_jitter_are_one_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = sweep("jitter", {"kind": "digits", "jitter": {"grid_search": [0, 1]}}, replicates=2)
    answer = kdtune.analyze(frame)
    seeds = [cell.data_seeds for cell in answer.cells]
    assert len(seeds) == 2
    assert seeds[0].isdisjoint(seeds[1])
    assert number_independent_sets(answer.cells) == [0, 0]
    assert answer.cells[0].finite_set.overlap == pytest.approx(360 / 1293)
    assert "another cut of the same 1,797 images into training, validation and test data" in answer.redraws.text
    assert describe_coverage(answer.cells).startswith("Replicates are cuts of the same examples: intervals are widened")


def test_generated_data_stay_independent(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = {"kind": "make_classification", "n_samples": 100, "n_classes": 3, "n_features": 10}
    answer = kdtune.analyze(sweep("made", {**data, "class_sep": {"grid_search": [1, 2]}}, replicates=2))
    assert number_independent_sets(answer.cells) == [0, 1]
    assert describe_coverage(answer.cells) == ""


def test_intervals_on_one_test_set_cover_other_test_examples(tmp_path, monkeypatch, arrays):
    monkeypatch.chdir(tmp_path)
    x, y = arrays
    frame = sweep("fixed", {"train": {"x": x[:100], "y": y[:100]}, "test": {"x": x[100:], "y": y[100:]}})
    alone, known = kdtune.analyze(frame), kdtune.analyze("fixed")
    (cell,) = known.cells
    index = int(np.flatnonzero(cell.temperatures == known.test["T"][0])[0])
    t, z = stats.t.ppf(0.975, 3), stats.norm.ppf(0.975)
    sampling = estimate_sampling_errors(cell, NUM_ERROR, {"student": index})
    difference = cell.student_measures[NUM_ERROR][:, index] - cell.baseline_measures[NUM_ERROR]
    variance = sampling.of_difference("student", BASELINE_KIND)
    margin = math.sqrt(t**2 * difference.var(ddof=1) / 4 + z**2 * variance)
    assert known.test["minus_baseline_high"][0] == pytest.approx(difference.mean() + margin)
    assert sampling.of_mean("student") > 0
    assert known.test["student_high"][0] > alone.test["student_high"][0]
    assert known.test["student"][0] == alone.test["student"][0]
    assert describe_coverage(known.cells) == (
        "All replicates are tested on the same 100 examples; intervals hold for other test examples of their kind, "
        "too, but not for other training data."
    )
    assert describe_coverage(alone.cells).endswith("intervals hold for these test examples alone.")
    assert "of this measure nothing is known by example" in describe_coverage(known.cells, "nll")


def test_errors_of_another_table_are_not_believed(tmp_path, monkeypatch, arrays):
    monkeypatch.chdir(tmp_path)
    x, y = arrays
    frame = sweep("fixed", {"train": {"x": x[:100], "y": y[:100]}, "test": {"x": x[100:], "y": y[100:]}})
    errors = read_errors_by_example(tmp_path / "results/fixed")
    no_errors = np.packbits(np.zeros(100, bool)).tobytes()
    wrong = errors.assign(**{TEST_ERRORS: [no_errors] * len(errors)})
    facts = find_facts(frame)
    plain, other = analyze_table(frame, facts=facts), analyze_table(frame, facts=facts, errors_by_example=wrong)
    pd.testing.assert_frame_equal(plain.test, other.test)
    # Of a network that has none its replicate is left out.
    fewer = errors[errors[ID] != frame.loc[frame[MODEL] == STUDENT, ID].iloc[0]]
    (cell,) = analyze_table(frame, facts=facts, errors_by_example=fewer).cells
    both = estimate_sampling_errors(cell, NUM_ERROR, {"first": 0, "second": 1})
    assert both.is_known
    assert np.isfinite(list(both.covariances.values())).all()


def test_a_fixed_validation_set_makes_temperatures_less_sure(tmp_path, monkeypatch, arrays):
    monkeypatch.chdir(tmp_path)
    x, y = arrays
    dataset = {"train": {"x": x[:100], "y": y[:100]}, "test": {"x": x[100:], "y": y[100:]}}
    sweep("cuts", dataset)
    sweep("one", dataset, replicates={"data": 1, "teacher": 4, "student": 4})
    (cuts,), (one,) = kdtune.analyze("cuts").cells, kdtune.analyze("one").cells
    assert estimate_selection_variance(cuts, VAL_NUM_ERROR) == 0
    assert one.finite_set.has_fixed_validation
    sampling = estimate_sampling_errors(one, NUM_ERROR, {"first": 0, "second": 1})
    expected = sampling.of_difference("first", "second")
    assert estimate_selection_variance(one, NUM_ERROR) == pytest.approx(expected)
    ratio = one.finite_set.n_val / one.finite_set.n_test
    assert 0 < ratio < 1
    assert estimate_selection_variance(one, VAL_NUM_ERROR) == pytest.approx(ratio * expected)
    assert estimate_selection_variance(one, VAL_NLL) >= 0
