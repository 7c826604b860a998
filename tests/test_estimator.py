"""``DistilledClassifier``: scikit-learn's own checks, and what it says of the temperature."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

import kdtune
from kdtune import DistilledClassifier

SMALL_FOREST = ExtraTreesClassifier(n_estimators=5)
QUICK: dict[str, Any] = {"epochs": 60, "lr": 0.02, "random_state": 0}
FIXED = DistilledClassifier(SMALL_FOREST, T=4, **QUICK)
CHOSEN = DistilledClassifier(SMALL_FOREST, temperatures=(1, 4), n_replicates=2, **QUICK)


# On data of a few rows it says that it cannot tell which T is best: it is right.
@pytest.mark.filterwarnings("ignore::UserWarning")
@parametrize_with_checks([FIXED, CHOSEN])
def test_scikit_learn_accepts_it(estimator: Any, check: Any) -> None:
    check(estimator)
