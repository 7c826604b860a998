"""kdtune as an estimator of scikit-learn. Heavy imports wait until they are needed."""

from kdtune.estimator.distilled_classifier import DistilledClassifier

__all__ = ["DistilledClassifier"]
