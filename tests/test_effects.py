"""Whether the best T moves with a factor: effects in each data set, over all of them, and what is said of them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import planted
from kdtune.analysis.answer import analyze_table
from kdtune.analysis.answer_files import write_answer
from kdtune.analysis.effect_parts import MAX_CELLS, select_cells
from kdtune.analysis.factor_effects import (
    DIFFERS,
    FALLS,
    RISES,
    RISES_EVERYWHERE,
    STAYS,
    TEACHER_ERROR,
    UNKNOWN,
    FactorEffect,
    SetEffect,
    decide_verdict,
)
from kdtune.analysis.printed_effects import format_set_effects
from kdtune.analysis.sentences import write_effect_sentence, write_verdict
from kdtune.statistics.effects import estimate_effect
from kdtune.statistics.simulated_curves import NoisyCurve

NAN = math.nan
X = np.log2([1, 1.5, 2, 3, 4, 6, 8, 12, 16, 32])
WIDTHS = (8, 16, 32, 64)
RISING = FactorEffect(
    factor="width", effect=1.7, low=0.5, high=1.9, p_value=0.01, p_holm=0.03, informative_cells=9, cells=9,
    used_cells=9, replicates=5, independent_sets=1,
)  # fmt: skip


def draw_curves(slopes, noise=0.02, widths=WIDTHS, replicates=5, at=2.0, seed=0):
    """One part for each slope: curves whose optimum moves by the slope per doubling of the width."""
    random = np.random.default_rng(seed)
    curves, factors, parts = [], [], []
    for part, slope in enumerate(slopes):
        for width in widths:
            y = (X - at - slope * (math.log2(width) - 4.5)) ** 2 * 0.1 + 1
            y = y + random.normal(0, noise, (replicates, len(X))) + random.normal(0, 0.1, (replicates, 1))
            curves.append(NoisyCurve(X, y, noise**2 / replicates * np.eye(len(X)), (replicates - 1) * (len(X) - 1.0)))
            factors.append(math.log2(width))
            parts.append(part)
    return curves, factors, parts


def estimate(slopes, **options):
    curves, factors, parts = draw_curves(slopes, **options)
    return estimate_effect(curves, factors, blocks=parts, parts=parts, sets=parts)


@pytest.mark.parametrize("slope", [0.0, 0.5, -0.5, 1.0])
def test_an_effect_is_found_with_its_size(slope):
    effect = estimate([slope] * 3)
    assert effect.over_parts.low <= slope <= effect.over_parts.high
    assert effect.over_parts.estimate == pytest.approx(slope, abs=0.15)
    assert (effect.p_value < 0.05) == bool(slope)
    assert effect.p_heterogeneity > 0.05
    assert not effect.is_mean
    assert sorted(effect.parts) == [0, 1, 2]
    for each in effect.parts.values():
        assert each.low <= slope <= each.high


def test_effects_of_opposite_sign_differ_and_are_no_absence_of_an_effect():
    effect = estimate([1.0, 1.0, 1.0, -1.0, -1.0, -1.0])
    assert effect.p_heterogeneity < 0.05
    assert effect.p_value < 0.05  # not that none has an effect, though their mean is 0
    assert effect.is_mean
    assert effect.over_parts.estimate == pytest.approx(0, abs=0.15)
    assert effect.spread.deviation == pytest.approx(1.0, abs=0.4)
    assert effect.parts[0].low > 0
    assert effect.parts[5].high < 0


def test_data_sets_like_these_are_less_sure_than_these():
    effect = estimate([0.5, 0.6, 0.4, 0.5])
    assert effect.in_sample.low <= effect.over_parts.low
    assert effect.in_sample.high >= effect.over_parts.high
    assert estimate([0.5]).in_sample.high == math.inf  # one data set is no sample


def test_an_effect_in_a_mirror_is_its_negative():
    """Temperatures from the other end: T to 1 / T."""
    curves, factors, parts = draw_curves([0.6, 0.6])
    mirrored = [replace(curve, x=-curve.x[::-1], y=curve.y[:, ::-1]) for curve in curves]
    plain, mirror = (estimate_effect(each, factors, parts, parts, parts) for each in (curves, mirrored))
    assert plain.over_parts.estimate == pytest.approx(-mirror.over_parts.estimate, abs=0.05)
    assert plain.over_parts.low == pytest.approx(-mirror.over_parts.high, abs=0.15)


def test_shapes_that_change_with_the_factor_are_no_move():
    """Left sides that steepen and right sides that flatten around one optimum."""
    random, curves, factors, parts = np.random.default_rng(2), [], [], []
    for part in range(4):
        for width, (left, right) in ((8, (0.02, 0.2)), (16, (0.08, 0.08)), (32, (0.2, 0.02))):
            mean = 1 + np.where(X < 2, left * (2 - X), right * (X - 2))
            y = mean + random.normal(0, 0.03, (5, len(X)))
            curves.append(NoisyCurve(X, y, 0.03**2 / 5 * np.eye(len(X)), 36.0))
            factors.append(math.log2(width))
            parts.append(part)
    effect = estimate_effect(curves, factors, parts, parts, parts)
    assert effect.p_value > 0.05
    assert effect.over_parts.low <= 0 <= effect.over_parts.high


def test_optima_at_the_end_of_their_grid_bound_an_effect_on_one_side():
    """Two of the four lie beyond the lower end: how far is not known."""
    effect = estimate([2.0] * 3, at=0.5)
    assert effect.over_parts.low > 0
    assert effect.p_value < 0.05


def test_no_effect_without_two_values_or_two_replicates():
    assert estimate([0.0], widths=(8,)) is None
    assert estimate([0.0], replicates=1) is None


def test_an_answer_has_the_effect_of_each_data_set():
    def optimum(cell):
        direction = 1 if cell["class_sep"] < 0.5 else -1
        return 2 + direction * math.log2(cell["width"] / 20)

    table = planted.table(planted.quadratic(optimum, 0.3), seps=(0.2, 1.0), widths=(10, 20, 40), noise=4)
    answer = analyze_table(table)
    (effect,) = [each for each in answer.factor_effects if each.factor == "width"]
    assert effect.verdict == DIFFERS
    assert effect.data_sets == 4
    assert [each.effect > 0 for each in effect.by_set] == [True, True, False, False]
    sentence = answer.effects.set_index("factor").loc["width", "sentence"]
    assert sentence.startswith("How the best T depends on the student's width differs between data sets: ")
    assert "it rises in 2 and falls in 2 of 4 data sets" in sentence


@pytest.mark.parametrize(("numbers", "sentence"), [
    ({}, "The best T rises with the student's width: per doubling of the student's width the best T is 3.25 times as "
         "high (95 % interval 1.41 to 3.73; p = 0.03, corrected for the number of factors), based on 9 settings with 5 "
         "replicates each."),
    ({"factor": "size, units."}, "The best T rises with size, units.: per doubling of size, units. the best T is 3.25"),
    ({"is_paired": False},
        "based on 9 settings with 5 runs of each T."),
    ({"effect": -1.0, "low": -2.0, "high": -0.5},
        "The best T falls with the student's width: per doubling of the student's width the best T is 0.5 times as "
        "high (95 % interval 0.25 to 0.707; "),
    ({"low": 0.001}, "(95 % interval 1.00069 to 3.73; "),  # An interval that excludes 1 does not begin with 1.
    ({"effect": 1386.0, "low": 400.0, "high": math.inf}, "is 2^1.39e+03 times as high (95 % interval at least 2^400; "),
    ({"factor": TEACHER_ERROR}, "each. This result uses the same data sets as the effects above, so it is not "
                                "independent evidence."),
    ({"low": -1.0}, "; the corrected p-value is below 0.05, but the interval includes 1, which is no "
                    "change."),
    ({"low": -1.0, "p_holm": 0.2},
        "Cannot tell whether the best T depends on the student's width: per doubling of the student's width the best T "
        "is 3.25 times as high (95 % interval 0.5 to 3.73; p = 0.2, corrected for the number of factors), based on 9 "
        "settings with 5 replicates each."),
    ({"low": -math.inf, "p_holm": 0.2}, "(95 % interval at most 3.73; p = 0.2, corrected"),
    ({"high": math.inf}, "(95 % interval at least 1.41; p = 0.03, corrected"),
    ({"low": -math.inf, "high": math.inf}, "the student's width: the confidence interval is unbounded."),
    ({"p_holm": 1e-12}, "(95 % interval 1.41 to 3.73; p < 0.0001, corrected for the number of factors)"),
    ({"used_cells": 4, "independent_sets": 2},
        "based on 4 of 9 settings, in 2 independent groups of data sets, with 5 replicates each."),
    ({"low": 0.0}, "Cannot tell"),
    ({"p_holm": 0.2}, "; the interval excludes 1, which is no change, but the corrected p-value is not below 0.05."),
    ({"low": -0.05, "high": 0.05},
        "The best T changes by at most 0.1 doublings per doubling of the student's width (95 % interval -0.05 to "
        "+0.05; based on 9 settings with 5 replicates each)."),
    ({"informative_cells": 4}, "the student's width: the best T could be located in only 4 of 9 settings."),
    ({"replicates": 1}, "the student's width: at least two replicates are needed to estimate the noise."),
    ({"effect": NAN}, "the student's width: no two settings differ only in this factor."),
    ({"effect": NAN, "used_cells": 1},
        "the student's width: no two settings differ only in this factor; 1 of 9 settings could be used."),
])  # fmt: skip
def test_a_sentence_says_what_its_numbers_allow(numbers, sentence):
    effect = replace(RISING, **numbers)
    effect = replace(effect, verdict=decide_verdict(effect, 0.1))
    assert sentence in write_effect_sentence(effect, 0.1)
    assert "nan" not in write_effect_sentence(effect, 0.1)
    assert write_verdict(effect, 0.1).endswith(".")


def make_sets(*intervals):
    return tuple(SetEffect(f"set {i}", (low + high) / 2, low, high, 3, 5) for i, (low, high) in enumerate(intervals))


@pytest.mark.parametrize(("numbers", "verdict"), [
    ({}, RISES),
    ({"low": -1.9, "high": -0.5, "effect": -1.0}, FALLS),
    ({"p_heterogeneity_holm": 0.01, "data_sets": 3, "rising_sets": 3}, RISES_EVERYWHERE),
    ({"p_heterogeneity_holm": 0.01, "data_sets": 3, "rising_sets": 2}, DIFFERS),
    ({"low": -0.05, "high": 0.05}, STAYS),
    # One number for all within the margin is no bound on what each data set does.
    ({"low": -0.05, "high": 0.05, "data_sets": 2, "sd_high": 0.8, "by_set": make_sets((-1, 0.2), (-0.2, 1))}, UNKNOWN),
    ({"low": -0.05, "high": 0.05, "data_sets": 2, "sd_high": 0.05, "by_set": make_sets((-1, 0.2), (-0.2, 1))}, STAYS),
    ({"low": -0.05, "high": 0.05, "data_sets": 2, "sd_high": 0.8, "by_set": make_sets((-0.09, 0), (0, 0.09))}, STAYS),
    ({"p_holm": 0.2}, UNKNOWN),
    ({"informative_cells": 4}, UNKNOWN),
])  # fmt: skip
def test_a_verdict_needs_a_bound_on_how_data_sets_differ(numbers, verdict):
    assert decide_verdict(replace(RISING, **numbers), 0.1) == verdict


def test_effects_by_data_set_are_a_frame_a_file_and_a_table_of_the_page(tmp_path):
    answer = analyze_table(planted.table(planted.RISES))
    frame = answer.effects_by_set
    of_width = frame[frame["factor"] == "width"]
    assert list(of_width["data_set"]) == [
        f"class_sep {sep}, p_informative {share}" for sep in ("0.2", "1") for share in ("0.5", "1")
    ]
    assert (of_width["low"] <= 1).all()
    assert (of_width["high"] >= 1).all()
    assert (of_width["settings"] == 3).all()
    files = {file.name for file in write_answer(answer, tmp_path)}
    assert "effects_by_set.parquet" in files
    printed = format_set_effects(answer)
    assert (printed["data set"] == frame["data_set"]).all()
    assert not any("_" in title for title in printed.columns)


@pytest.mark.parametrize(("count", "blocks"), [(200, 100), (3000, 1000), (3000, 3)])
def test_of_very_many_cells_some_are_selected_from_all_over(count, blocks):
    factors = [float(cell // blocks) for cell in range(count)]
    indices = select_cells(factors, [cell % blocks for cell in range(count)])
    assert len(indices) == (count if count <= MAX_CELLS else MAX_CELLS)
    assert {factors[0], factors[-1]} <= {factors[cell] for cell in indices}
    assert {0, blocks - 1} <= {cell % blocks for cell in indices}


def test_effects_by_data_set_are_printed_before_the_findings(call, tmp_path):
    planted.table(planted.RISES).to_parquet(tmp_path / "table.parquet")
    lines = call("analyze", tmp_path / "table.parquet").output.splitlines()
    start = lines.index("How the best T changes with each factor, in each data set with 95 % confidence:")
    (rise,) = [i for i, line in enumerate(lines) if line.startswith("The best T rises with the student's width: ")]
    rows = [line for line in lines[start:rise] if line.startswith("the student's width")]
    assert len(rows) == 4
    assert all(" to " in row and " times" in row for row in rows)
