"""Draw how the softmax of a teacher's logits becomes soft with T: an illustration from made-up logits.

It is a figure of the 2018 Harvard tutorial that kdtune began from.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.special import softmax

from kdtune.plots import layout, style

N_CLASSES, MAX_LOGIT = 10, 50  # the tutorial's: ten classes, uniform between 0 and 50
TEMPERATURES = (1, 10, 20, 50)
MAX_CURVES = 4


def prepare_softmax(temperatures: Sequence[float] = TEMPERATURES) -> pd.DataFrame:
    """Compute the softmax of made-up logits at several temperatures.

    Parameters
    ----------
    temperatures : Those of the table, ascending; of many, four from the lowest to the highest are taken.

    Returns
    -------
    One row per class, in the order of their numbers, and one column per temperature, which names it.
    """
    logits = np.random.RandomState(0).rand(N_CLASSES) * MAX_LOGIT
    positions = layout.spread_positions(len(temperatures), MAX_CURVES)
    return pd.DataFrame({f"T = {T:g}": softmax(logits / T) for T in np.asarray(temperatures)[positions]})


def draw_softmax(probabilities: pd.DataFrame) -> Figure:
    """Draw the probability of each class, a curve for each temperature; the frame is ``prepare_softmax``'s."""
    styles = style.assign_student_styles(list(probabilities.columns))
    with mpl.rc_context(style.RC_PARAMS):
        figure = layout.make_figure(6, 3.6)
        axes = figure.subplots()
        for label, (color, marker) in styles.items():
            axes.plot(probabilities[label], color=color, marker=marker, markersize=4, label=label)
        axes.set(xlabel="class", ylabel="probability", title="Illustration: the softmax of made-up logits")
        axes.set_xticks(range(len(probabilities)))
        axes.legend()
    return figure
