"""What the figures show: the numbers that are prepared, and what is drawn of them."""

from __future__ import annotations

import itertools
import math
import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import planted
from kdtune.analysis.answer import analyze_table
from kdtune.analysis.temperature_texts import format_interval
from kdtune.columns import (
    BASELINE,
    CLASS_SEP,
    DATASET,
    ID,
    LABEL,
    MODEL,
    N_PARAMS,
    NUM_ERROR,
    P_INFORMATIVE,
    SEEN,
    STUDENT,
    TEMP,
    VAL_NUM_ERROR,
    WIDTH,
)
from kdtune.plots import style
from kdtune.plots.confusion import draw_confusions, prepare_confusions
from kdtune.plots.drawing import list_figures
from kdtune.plots.excess import ARROW, draw_excess, prepare_excess
from kdtune.plots.gain import draw_gain, prepare_gain
from kdtune.plots.measure_curves import draw_measure_curves, prepare_measure_curves
from kdtune.plots.networks import draw_network_errors, prepare_network_errors
from kdtune.plots.optimum import draw_optima, prepare_optima
from kdtune.plots.optimum_intervals import OPEN_END_RATIO, find_runs, prepare_intervals
from kdtune.plots.optimum_map import draw_map, prepare_map
from kdtune.plots.overall import draw_overall, prepare_overall
from kdtune.plots.per_class import MAX_WIDTH, draw_class_errors, prepare_class_errors
from kdtune.plots.published_optimum import PUBLISHED_OPTIMA
from kdtune.plots.regret import draw_fixed_costs, prepare_fixed_costs

STILL = planted.quadratic(lambda cell: 2.0, 0.1)
BIRDS = [f"{kind} {bird}" for kind in ("Golden-crowned", "Ruby-throated great") for bird in ("sparrow", "warbler")]


def list_texts(figure):
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


def list_legend(figure):
    return [text.get_text() for text in figure.legends[0].texts]


# Panels and curves.


def test_panels_without_data_change_nothing_for_the_others(rising):
    """Two widths lack in the first data set, the first width in the second: those panels are empty."""
    first = rising[CLASS_SEP] == rising[CLASS_SEP].min()
    poor = rising[P_INFORMATIVE] == rising[P_INFORMATIVE].min()
    lacks = first & (rising[WIDTH] == 20) | first & poor & (rising[WIDTH] == 100)
    answer = analyze_table(rising[~lacks])
    for figure in (
        draw_excess(prepare_excess(answer)),
        draw_gain(prepare_gain(answer)),
        draw_measure_curves(prepare_measure_curves(answer, NUM_ERROR)),
    ):
        drawn = [axes for axes in figure.axes if axes.axison]
        assert {axes.get_xscale() for axes in drawn} == {"log"}
        assert len({(axes.get_xlim(), axes.get_ylim()) for axes in drawn}) == 1
        students = [name for name in list_legend(figure) if name.startswith("student, width")]
        assert students == sorted(students, key=lambda name: int(name.split()[-1]))
    figure = draw_excess(prepare_excess(answer))
    assert len([axes for axes in figure.axes if axes.get_ylabel()]) == 4  # one for each data set
    columns = {axes.get_subplotspec().colspan.start for axes in figure.axes if axes.axison}
    titled = {axes.get_subplotspec().colspan.start for axes in figure.axes if axes.axison and axes.get_title()}
    assert titled == columns


def test_figures_say_which_students_are_larger_than_their_teacher(rising):
    params = rising[WIDTH].map({20: 100, 50: 300, 100: 900}).fillna(500)
    answer = analyze_table(rising.assign(**{N_PARAMS: params}))
    figures = list_figures(answer)
    for name in ("excess", "gain", "t_opt", "t_opt_map", "regret"):
        texts = [text.replace("\n", " ") for text in list_texts(figures[name]())]
        said = {text for text in texts if "larger than its teacher" in text}
        assert said in ({"width 100 (larger than its teacher)"}, {"student, width 100 (larger than its teacher)"},
                        {"shaded: larger than its teacher"})  # fmt: skip
    otherwise = rising.assign(**{N_PARAMS: params}, units=rising[WIDTH])
    no_widths = draw_optima(prepare_optima(analyze_table(otherwise, [CLASS_SEP, P_INFORMATIVE, "units"])))
    lines = [text.get_text() for text in no_widths.axes[0].get_yticklabels()]
    assert sum(line.endswith(" (larger than its teacher)") for line in lines) == len(lines) / 3


def test_a_panel_without_baselines_says_so(rising):
    lacks = (rising[MODEL] == BASELINE) & (rising[CLASS_SEP] == rising[CLASS_SEP].min())
    prepared = prepare_gain(analyze_table(rising[~lacks]))
    said = [[text.get_text() for text in axes.texts] for axes in draw_gain(prepared).axes]
    informative = rising[P_INFORMATIVE].nunique()
    assert said == [["no baseline"]] * informative + [[]] * (len(said) - informative)


def test_gains_are_shares_of_the_baselines_errors(rising):
    answer = analyze_table(rising)
    points = prepare_gain(answer).curves.points
    baseline = answer.curves["baseline_num_error"]
    np.testing.assert_allclose(points["gain"], 1 - answer.curves[NUM_ERROR] / baseline)
    assert (points["low"] <= points["gain"]).all()
    assert (points["gain"] <= points["high"]).all()


def test_excess_above_the_axis_is_marked_and_excess_over_no_errors_is_explained():
    """Errors at T = 40 are more than 50 % above the lowest; one student makes no error at its best T."""
    table = planted.table(planted.quadratic(lambda cell: 0.0, 0.1), seps=(1.0,), informative=(1.0,), widths=(20, 50))
    is_perfect = (table[MODEL] == STUDENT) & (table[WIDTH] == 20)
    lowered = table[VAL_NUM_ERROR].where(~is_perfect, (table[TEMP] > 1) * 5)
    prepared = prepare_excess(analyze_table(table.assign(**{VAL_NUM_ERROR: lowered})))
    figure = draw_excess(prepared)
    perfect_axes, axes = figure.axes
    assert [text.get_text() for text in perfect_axes.texts] == ["no errors at the best T:\nno relative excess"]
    arrows = [line for line in axes.lines if line.get_marker() == ARROW]
    curve = axes.lines[1]
    above = curve.get_xdata()[curve.get_ydata() > axes.get_ylim()[1]]
    assert len(above)
    assert arrows[0].get_xdata().tolist() == above.tolist()
    assert "arrow at the top: above the axis" in list_legend(figure)
    for shown in perfect_axes.lines:
        assert not np.any(np.abs(shown.get_ydata(orig=False).astype(float)) > 1)


def test_a_table_without_large_excess_has_no_arrows():
    gentle = planted.table(planted.quadratic(lambda cell: 2.0, 0.01))
    assert not any("arrow" in text for text in list_legend(draw_excess(prepare_excess(analyze_table(gentle)))))


def test_long_settings_stay_apart(rising):
    long = {"weight_decay_of_the_second_kind": "0.0001 of the greatest", "optimizer": "stochastic gradient descent"}
    varied = pd.concat([rising.assign(**long, rate=rate, **{ID: rising[ID] + rate}) for rate in ("low", "high")])
    answer = analyze_table(varied[varied[CLASS_SEP] == 1], [*long, "rate", P_INFORMATIVE, WIDTH, "momentum"][:5])
    for figure in (draw_gain(prepare_gain(answer)), draw_fixed_costs(prepare_fixed_costs(answer))):
        names = [text for text in list_legend(figure) if text.startswith("student")]
        assert len(set(names)) == len(names) == 6


def test_figures_that_cannot_hold_everything_say_so():
    table = planted.table(STILL, seps=(1.0,), informative=(1.0,), widths=(20, 50), draws=35, replicates=2)
    answer = analyze_table(table, ["dataset", "width"])
    for name in ("gain", "t_opt", "excess"):
        words = " ".join(list_texts(list_figures(answer)[name]()))
        assert re.search(r"the first (16|15|60) of (35 data sets|35 panels|70 settings)", words)


def test_one_setting_is_not_compared_with_others():
    answer = analyze_table(planted.table(STILL, widths=(50,), seps=(1.0,), informative=(1.0,)))
    assert {"t_opt_map", "regret", "overall"}.isdisjoint(list_figures(answer))
    assert {"t_opt", "excess", "gain"} <= set(list_figures(answer))


@pytest.mark.parametrize("n_temperatures", [1, 3, 7])
def test_the_softmax_is_shown_at_temperatures_of_the_table_from_the_lowest_to_the_highest(n_temperatures):
    grid = tuple(float(2**power) for power in range(n_temperatures))
    figure = list_figures(analyze_table(planted.table(STILL, temperatures=grid)))["softmax"]()
    shown = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert (shown[0], shown[-1], len(shown)) == (f"T = {grid[0]:g}", f"T = {grid[-1]:g}", min(4, len(grid)))
    assert set(shown) <= {f"T = {T:g}" for T in grid}


# The best temperature.


def test_the_mark_is_the_best_temperature_of_the_table(rising):
    """It is the one of the grid, wherever a smooth curve is lowest; lines show what is tied with it."""
    answer = analyze_table(rising)
    answer.t_opt["T_opt_continuous"] *= 1.1
    optima = prepare_optima(answer)
    assert optima.settings["T_opt"].tolist() == answer.t_opt["T_opt"].tolist()
    for runs, tied, cell in zip(optima.settings["tied_runs"], answer.t_opt["tied"], answer.cells, strict=True):
        shown = [T for T in cell.temperatures for low, high in runs if low <= T <= high]
        assert shown == list(tied)
    figure = draw_optima(optima)
    drawn = [T for axes in figure.axes for line in axes.lines if line.get_marker() in style.DATA_MARKERS
             for T in line.get_ydata()]  # fmt: skip
    assert sorted(drawn) == sorted(answer.t_opt["T_opt"])


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_runs_hold_the_tied_temperatures_and_no_others(is_tied):
    grid = [2.0**i for i in range(len(is_tied))]
    tied = [T for T, chosen in zip(grid, is_tied, strict=True) if chosen]
    runs = find_runs(tied, grid)
    assert [T for T in grid if any(low <= T <= high for low, high in runs)] == tied
    assert all(high < low for (_, high), (low, _) in itertools.pairwise(runs))


def test_prepared_intervals_end_just_beyond_the_grid_where_they_are_open():
    t_opt = pd.DataFrame(
        {
            "T_opt": [1.0, 5.0, 2.0],
            "T_opt_low": [0.0, 2.0, 0.0],
            "T_opt_high": [2.0, math.inf, math.inf],
            "tied": [[1.0], [2.0, 5.0], [1.0, 2.0, 5.0]],
            "flags": [["edge"], [], ["flat", "larger than its teacher"]],
        }
    )
    intervals = prepare_intervals(t_opt, [[1.0, 2.0, 5.0]] * 3, [1.0, 2.0, 5.0])
    assert intervals["bottom"].tolist() == [1 / OPEN_END_RATIO, 2, 1 / OPEN_END_RATIO]
    assert intervals["top"].tolist() == [2, 5 * OPEN_END_RATIO, 5 * OPEN_END_RATIO]
    assert intervals["is_open_below"].tolist() == [True, False, True]
    assert intervals["is_open_above"].tolist() == [False, True, True]
    assert intervals["is_flat"].tolist() == intervals["is_larger_than_teacher"].tolist() == [False, False, True]
    assert intervals["tied_runs"].tolist() == [[(1, 1)], [(2, 5)], [(1, 5)]]


@pytest.mark.parametrize("grid", [(20, 30, 40, 60, 80), (0.1, 0.2, 0.3, 0.5, 1)])
def test_published_temperatures_are_shown_whatever_the_grid_for_mnist_only(grid):
    table = planted.table(STILL, seps=(1.0,), temperatures=grid)
    figure = draw_optima(prepare_optima(analyze_table(table.assign(**{DATASET: "MNIST"}))))
    assert any("Hinton" in text for text in list_texts(figure))
    low, high = figure.axes[0].get_ylim()
    for optimum in PUBLISHED_OPTIMA:
        assert low < optimum.low < high
        assert math.isinf(optimum.high) or optimum.high < high
    for other in (table.assign(**{DATASET: "mine"}), table.drop(columns=DATASET)):
        assert not any("Hinton" in text for text in list_texts(draw_optima(prepare_optima(analyze_table(other)))))


def test_a_student_stands_at_the_same_offset_in_every_panel(rising):
    """The panel without the first curve draws the second where the other panels draw it."""
    varied = pd.concat([rising.assign(rate=rate, **{ID: rising[ID] + rate}) for rate in ("low", "high")])
    varied = varied[varied[P_INFORMATIVE] == 1.0]
    lacks = (varied["rate"] == "high") & (varied[CLASS_SEP] == 0.2) & (varied[MODEL] == STUDENT)
    figure = draw_optima(prepare_optima(analyze_table(varied[~lacks], [CLASS_SEP, WIDTH, "rate"])))
    marks = [{line.get_color(): tuple(line.get_xdata()) for line in axes.lines if line.get_alpha() == 0.6}
             for axes in figure.axes[:2]]  # fmt: skip
    assert len(marks[0]) == 1
    assert len(marks[1]) == 2
    assert marks[0].items() <= marks[1].items()


def test_every_column_of_panels_names_its_widths():
    table = planted.table(STILL, seps=(0.2, 0.4, 0.6, 0.8, 1.0), informative=(1.0,), widths=(20, 50))
    for axes in draw_optima(prepare_optima(analyze_table(table))).axes:
        if axes.axison:
            assert [label.get_text() for label in axes.get_xticklabels() if label.get_visible()]
            assert axes.xaxis.get_tick_params()["labelbottom"]


def test_the_map_has_a_row_for_each_data_set_and_gaps_where_no_cell_is(rising):
    lacks = (rising[CLASS_SEP] == 0.2) & (rising[P_INFORMATIVE] == 0.5) & (rising[WIDTH] == 50)
    answer = analyze_table(rising[~lacks])
    optimum_map = prepare_map(answer)
    assert optimum_map.student_labels == ["width 20", "width 50", "width 100"]
    assert optimum_map.T_opt.shape == (optimum_map.n_data_sets, 3) == (4, 3)
    assert np.argwhere(np.isnan(optimum_map.T_opt)).tolist() == [[0, 1]]
    by_cell = answer.t_opt.set_index([CLASS_SEP, P_INFORMATIVE, WIDTH])
    assert optimum_map.T_opt[0, 2] == by_cell["T_opt"][0.2, 0.5, 100]
    assert optimum_map.T_opt[3, 0] == by_cell["T_opt"][1.0, 1.0, 20]


def test_the_map_writes_each_best_temperature_and_its_interval_in_words():
    """The optimum lies below the grid, so that intervals are open; where all T are alike nothing is called better."""
    table = planted.table(planted.quadratic(lambda cell: -1.0, 0.1), seps=(1.0,), informative=(1.0,), widths=(20, 50))
    is_flat = (table[MODEL] == STUDENT) & (table[WIDTH] == 50)
    noise = np.random.default_rng(0).normal(150, 9, len(table))
    answer = analyze_table(table.assign(**{VAL_NUM_ERROR: table[VAL_NUM_ERROR].where(~is_flat, noise)}))
    row = answer.t_opt.iloc[0]
    interval = format_interval(row["T_opt_low"], row["T_opt_high"], answer.cells[0].temperatures)
    assert interval.startswith("at most ")
    texts = list_texts(draw_map(prepare_map(answer)))
    assert {"1", interval, "no clear winner"} <= set(texts)
    assert not any(re.search(r"\b(inf|nan)\b", text) for text in texts)


def test_one_temperature_for_all_is_shown_with_its_mean_and_worst_cost(rising):
    answer = analyze_table(rising)
    prepared = prepare_fixed_costs(answer)
    assert set(prepared.costs["T"]) <= set(answer.fixed["T"])
    assert prepared.costs["T"].iloc[[0, -1]].tolist() == answer.fixed["T"].iloc[[0, -1]].tolist()
    assert len(prepared.points) == len(prepared.costs) * len(answer.cells)
    texts = list_texts(draw_fixed_costs(prepared))
    for mean, worst in zip(prepared.costs["mean"], prepared.costs["worst"], strict=True):
        assert f"mean {mean:+.0%}\nworst {worst:+.0%}" in texts


def test_costs_over_all_data_sets_are_those_of_the_answer(rising):
    answer = analyze_table(rising)
    prepared = prepare_overall(answer)
    assert list(prepared.titles) == ["width 20", "width 50", "width 100"]
    best = prepared.points[prepared.points["cost"] == 0].groupby("student", sort=False)["T"].first()
    assert best.tolist() == [student.best_temperature for student in answer.students]
    figure = draw_overall(prepared)
    assert sum("(4 data sets)" in text for text in list_texts(figure)) == 3
    (label,) = [text for text in list_legend(figure) if "does not matter" in text]
    assert label.startswith("5%")


# Single networks, and the names of classes.


def make_networks(datasets=("mine",)):
    rows = [{ID: f"{dataset}{replicate}", "panel": dataset, "series": "student, width 20", MODEL: STUDENT,
             DATASET: dataset, NUM_ERROR: 5 + replicate} for dataset in datasets for replicate in range(2)]  # fmt: skip
    return pd.DataFrame(rows)


def make_class_rows(networks, n_classes, **columns):
    rows = networks[[ID]].merge(pd.DataFrame({LABEL: range(n_classes)}), how="cross")
    return rows.assign(**{NUM_ERROR: 3, SEEN: True, **columns})


def list_shown_ticks(axes):
    return [label.get_text() for label in axes.get_xticklabels()]


def test_confusions_are_mean_mistakes_and_leave_out_correct_predictions():
    networks = pd.DataFrame({ID: ["a", "b"], "panel": "", "series": "student, width 20"})
    counts = [("a", 0, 0, 9), ("a", 0, 1, 1), ("a", 1, 0, 4), ("a", 1, 1, 6),
              ("b", 0, 0, 7), ("b", 0, 1, 3), ("b", 1, 0, 0), ("b", 1, 1, 10)]  # fmt: skip
    confusion = pd.DataFrame(counts, columns=[ID, "label", "predicted", "count"])
    (matrix,) = prepare_confusions(networks, confusion)
    assert matrix.title == "student, width 20"
    assert matrix.class_labels == ["0", "1"]
    np.testing.assert_array_equal(matrix.mistakes, [[math.nan, 2], [2, math.nan]])
    (named,) = prepare_confusions(networks.assign(**{DATASET: "pets"}), confusion, {"pets": ["cat", "dog"]})
    axes = draw_confusions([named]).axes[0]
    assert list_shown_ticks(axes) == [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog"]


def test_classes_bear_the_users_names_in_their_own_data_set_only():
    networks = make_networks(["birds", "numbers"])
    prepared = prepare_class_errors(networks, make_class_rows(networks, 4), {"birds": BIRDS})
    assert prepared.class_labels["numbers"] == ["0", "1", "2", "3"]
    assert prepared.class_labels["birds"][0] == style.shorten_text(BIRDS[0], style.MAX_CLASS_NAME_LENGTH)
    first, second = draw_class_errors(prepared).axes
    assert list_shown_ticks(first) == prepared.class_labels["birds"]
    assert list_shown_ticks(second) == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("most", "ticks"), [(8, None), (37, [0, 5, 10, 20]), (10, None), (1010, [0, 5, 10, 20, 50, 100, 200, 500, 1000])]
)
def test_a_logarithmic_axis_of_errors_by_class_has_ticks_and_says_so(most, ticks):
    networks = make_networks()
    rows = make_class_rows(networks, 10)
    rows.loc[rows[LABEL] == 3, NUM_ERROR] = most
    rows.loc[rows[LABEL] != 3, NUM_ERROR] = 1
    figure = draw_class_errors(prepare_class_errors(networks, rows))
    is_logarithmic = any("logarithmic above 10" in text for text in list_texts(figure))
    assert is_logarithmic == (ticks is not None) == (figure.axes[0].get_yscale() == "symlog")
    if ticks is not None:
        assert figure.axes[0].get_yticks().tolist() == ticks


@pytest.mark.parametrize("n_classes", [2, 3, 10, 40, 100])
@pytest.mark.parametrize("letters", [3, 60])
def test_names_of_classes_do_not_overlap(n_classes, letters):
    names = [f"{number} {'abc' * letters}"[:letters] + f" {number}" for number in range(n_classes)]
    networks = make_networks()
    prepared = prepare_class_errors(networks, make_class_rows(networks, n_classes), {"mine": names})
    pairs = [(label, predicted) for label in range(n_classes) for predicted in range(n_classes)]
    counts = networks[[ID]].merge(pd.DataFrame(pairs, columns=[LABEL, "predicted"]), how="cross").assign(count=2)
    figures = [draw_class_errors(prepared), draw_confusions(prepare_confusions(networks, counts, {"mine": names}))]
    assert figures[0].get_figwidth() <= MAX_WIDTH + 1
    for figure in figures:
        figure.canvas.draw()
        for axes in figure.axes:
            boxes = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
            assert all(first.x1 <= second.x0 + 1 for first, second in itertools.pairwise(boxes))
    shown = [name for axes in figures[0].axes for name in list_shown_ticks(axes)]
    assert len(set(shown)) == len(shown) == n_classes


def test_equal_cut_names_are_numbered_and_dollars_are_no_mathematics():
    names = [f"a very long name {middle} of some class" for middle in ("one", "two")]
    labels = style.label_classes([*names, "$5 to $6"])
    assert labels[0].startswith("a very lo...")
    assert labels[1] == f"{labels[0]} [2]"
    assert labels[2] == r"\$5 to \$6"


@given(st.text(max_size=90), st.integers(5, 60))
def test_shortened_texts_keep_their_ends(text, max_length):
    short = style.shorten_text(text, max_length)
    assert len(short) == min(len(text), max_length)
    assert short == text or (text.startswith(short.split("...")[0]) and text.endswith(short.rsplit("...", 1)[1]))


def test_errors_of_networks_have_a_logarithmic_axis_where_they_differ_much():
    networks = make_networks()
    assert draw_network_errors(prepare_network_errors(networks)).axes[0].get_xscale() == "linear"
    networks[NUM_ERROR] = [10, 7000]
    assert draw_network_errors(prepare_network_errors(networks)).axes[0].get_xscale() == "log"
