"""Shifting learned biases: the shift that is best, against trying all."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kdtune.train import metrics
from kdtune.train.bias_shift import OPEN_RANGE_MARGIN, find_best_shift, shift_logits


def errors(logits, labels, classes, by):
    return metrics.count_errors(shift_logits(logits, classes, by), labels)


@given(
    seed=st.integers(0, 1000),
    sizes=st.tuples(st.integers(1, 40), st.integers(2, 5)),
    ties=st.booleans(),
    data=st.data(),
)
@settings(max_examples=150, deadline=None)
def test_no_shift_has_fewer_errors(seed, sizes, ties, data):
    """Against every range between two places where an answer changes, and beyond both ends."""
    examples, n_classes = sizes
    random = np.random.default_rng(seed)
    logits = random.normal(size=(examples, n_classes)).astype(np.float32)
    logits = np.round(logits) if ties else logits
    labels = random.integers(0, n_classes, examples)
    classes = data.draw(st.lists(st.integers(0, n_classes - 1), min_size=1, unique=True))
    found = find_best_shift(logits, labels, classes)
    others = [label for label in range(n_classes) if label not in classes]
    if not others:
        assert found == 0
        return
    turns = np.unique(logits[:, others].max(axis=1) - logits[:, classes].max(axis=1)).astype(float)
    middles = [turns[0] - 1, *(turns[:-1] + turns[1:]) / 2, turns[-1] + 1]
    tried = [errors(logits.astype(float), labels, classes, by) for by in middles]
    assert errors(logits.astype(float), labels, classes, found) == min(tried)


def test_the_nearest_of_equally_good_ones():
    logits = np.array([[0.0, 1.0], [0.0, -4.0], [0.0, 2.0]])
    assert find_best_shift(logits, np.array([1, 0, 1]), [1]) == 0.0, "nothing is wrong: nothing is shifted"
    assert find_best_shift(np.array([[0.0, -3.0], [0.0, -5.0]]), np.array([1, 0]), [1]) == 4.0
    assert find_best_shift(np.array([[0.0, 3.0]]), np.array([0]), [1]) == -3 - OPEN_RANGE_MARGIN
    assert find_best_shift(np.array([[0.0, -3.0]]), np.array([1]), [1]) == 3 + OPEN_RANGE_MARGIN


def test_two_classes_move_together():
    logits = np.array([[5.0, 4.0, 1.0], [6.0, 2.0, 1.0], [5.0, 5.5, 0.0]])
    labels = np.array([2, 2, 1])
    by = find_best_shift(logits, labels, [0, 1])
    assert -5.5 < by < -5
    assert errors(logits, labels, [0, 1], by) == 0
