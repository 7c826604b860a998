"""Tell accuracies and errors by their names: a name is one of them only if each of its words is known to be harmless.

Any other word may turn the direction around: of ``1 - acc``, ``inv_acc`` and ``acc_drop`` less is better, of
``errors_avoided`` more. A list of such words would never be complete; the list of harmless ones may be short, since
users are asked about a name with any other word.
"""

from __future__ import annotations

import re

from kdtune.foreign.column_names import split_words, strip_prefix

_ACCURACY_WORDS = {"acc", "accuracy", "accuracies", "acc1", "accuracy1", "top1", "precision1", "prec1", "correct",
                   "hits", "oa", "genauigkeit"}  # fmt: skip
_ERROR_WORDS = {"error", "errors", "err", "errs", "error1", "err1", "misclassified", "misclassifications",
                "misclassification"}  # fmt: skip
_VALIDATION_WORDS = {"val", "valid", "validation", "dev"}
_VALIDATION_STEM = "valida", "validi"
_NO_VALIDATION = {"validity"}
_TEST_WORDS = {"test", "tst", "testing", "eval", "evaluation", "evaluate", "predict", "holdout", "heldout"}
_STUDENT_WORDS = {"student", "students", "stu", "distilled", "kd", "model", "net", "network", "ema", "swa"}
_SUMMARY_WORDS = {"mean", "avg", "average", "median", "final", "last", "best", "end", "overall", "balanced", "macro",
                  "micro", "weighted", "total", "epoch"}  # fmt: skip
_KIND_WORDS = {"rate", "score", "pct", "percent", "percentage", "perc", "classification", "categorical", "sparse",
               "multiclass", "value", "metric", "result", "results"}  # fmt: skip
_LINK_WORDS = {"of", "on", "in", "the", "for", "at", "set", "split", "data", "dataset", "images", "samples", "examples"}
_DATASETS = {"mnist", "fashionmnist", "fashion", "emnist", "kmnist", "cifar10", "cifar100", "cinic10", "svhn", "stl10",
             "imagenet", "imagenet1k", "imagenet100", "tinyimagenet", "tiny", "cub200", "food101", "flowers102",
             "sst2", "mnli", "qnli", "qqp", "rte", "agnews", "imdb", "fakeset"}  # fmt: skip
_HARMLESS_WORDS = {
    *_VALIDATION_WORDS, *_TEST_WORDS, *_STUDENT_WORDS, *_SUMMARY_WORDS, *_KIND_WORDS, *_LINK_WORDS, *_DATASETS
}  # fmt: skip
# The largest accuracy of a run and its smallest error are its best; a largest error may be that of a regression.
_ACCURACY_COMPANIONS = _HARMLESS_WORDS | {"max", "maximum", "highest"}
_ERROR_COMPANIONS = _HARMLESS_WORDS | {"min", "minimum", "lowest", "num", "n", "nr", "number", "count", "counts"}
_ERROR_COMPANIONS |= {"top1"}
# Words that surely say the opposite. Of a name with another unknown word, a user may say what it is.
_OPPOSITE_WORDS = {
    "one", "hundred", "minus", "neg", "negative", "inv", "inverse", "reciprocal", "not", "non", "wrong",
    "loss", "lost", "degradation", "reduction", "decrease", "deficit", "improvement", "avoided", "free", "drop",
    "delta", "gap", "incorrect", "std", "stderr", "lower",
}  # fmt: skip

_FORMULA = re.compile(r"[−–^~!]|^\W*(1|100)\b")
_SIGN = re.compile(r"(^|[^\w)\]\s])\s*-|\s-(?=\S)")  # a minus sign, unlike the hyphens of top-1 and "test - acc"
_CHARACTERS = re.compile(r"[\w\s./:@%()\[\]|,=>#-]*", re.ASCII)
_TOP_1 = re.compile(r"\b(top|acc|accuracy|err|error)( at)? 1\b")
_PRECISION_1 = re.compile(r"(?<![a-z])(prec|precision)[\s_]*(?:@|at)[\s_]*1(?![0-9.])")  # precision_1: that of class 1
_NUMBERED_DATASET = re.compile(r"\b(cifar|cinic|stl|imagenet|cub|food|flowers|sst) (10|100|1k|200|101|102|2)\b")
_JOINED_WORDS = re.compile(r"(test|val|valid|eval|dev)(acc|accuracy|err|error)")
_LOADER = re.compile(r"[/_]dataloader_idx_[0-9]+$")  # what Lightning adds


def is_measure_name(name: str) -> bool:
    """Return whether a name has a word that says accuracy or error, whatever the others say."""
    return bool((_ACCURACY_WORDS | _ERROR_WORDS) & set(_list_words(name)))


def is_accuracy_name(name: str) -> bool:
    """Return whether a name surely says that a column holds accuracies, of which more is better."""
    words = set(_list_words(name))
    return bool(words & _ACCURACY_WORDS) and words <= _ACCURACY_WORDS | _ACCURACY_COMPANIONS and _is_plain(name, "↑")


def is_error_name(name: str) -> bool:
    """Return whether a name surely says that a column holds errors, of which fewer is better."""
    words = set(_list_words(name))
    return bool(words & _ERROR_WORDS) and words <= _ERROR_WORDS | _ERROR_COMPANIONS and _is_plain(name, "↓")


def says_accuracy(name: str) -> bool:
    """Return whether a name speaks of an accuracy, and does not say the opposite of one."""
    words = set(_list_words(name))
    return bool(words & _ACCURACY_WORDS) and not words & _ERROR_WORDS and not _says_opposite(name, "↓")


def says_opposite_of_accuracy(name: str) -> bool:
    """Return whether a name says the opposite of an accuracy, as ``1 - acc`` does."""
    words = set(_list_words(name))
    return bool(words & _ACCURACY_WORDS) and not words & _ERROR_WORDS and _says_opposite(name, "↓")


def says_opposite_of_error(name: str) -> bool:
    """Return whether a name says the opposite of an error, as ``errors_avoided`` does."""
    words = set(_list_words(name))
    return bool(words & _ERROR_WORDS) and not words & _ACCURACY_WORDS and _says_opposite(name, "↑")


def _says_opposite(name: str, arrow: str) -> bool:
    has_sign = bool(_SIGN.search(name) or _FORMULA.search(name)) or arrow in name
    return has_sign or bool(set(_list_words(name)) & _OPPOSITE_WORDS)


def is_validation_name(name: str) -> bool:
    """Return whether a measure is that on a validation split by its name; else it is that on a test split."""
    return bool(_VALIDATION_WORDS & set(_list_words(name)))


def is_test_name(name: str) -> bool:
    """Return whether a name says that a measure is that on a test split."""
    return bool(_TEST_WORDS & set(_list_words(name)))


def is_short_name(name: str) -> bool:
    """Return whether a name says nothing but the measure and its split: ``test_acc`` goes before ``best_test_acc``."""
    return set(_list_words(name)) <= _ACCURACY_WORDS | _ERROR_WORDS | _VALIDATION_WORDS | {"test"}


def _is_plain(name: str, arrow: str) -> bool:
    """Return whether a name has no sign or formula in it; the arrows tell what is better."""
    text = name.strip().translate({ord(character): None for character in arrow})
    return not _SIGN.search(text) and bool(_CHARACTERS.fullmatch(text))


def _list_words(name: str) -> list[str]:
    """Return the words of a name, with those of one meaning joined: "Top-1 acc" has top1 and acc."""
    text = " ".join(split_words(_LOADER.sub("", name)))
    # split_words would drop the mark in "precision@1".
    if _PRECISION_1.search(strip_prefix(name).lower()):
        text = re.sub(r"\b(prec|precision)( at)? 1\b", r"\g<1>1", text)
    text = _TOP_1.sub(r"\g<1>1", text)
    text = _NUMBERED_DATASET.sub(r"\1\2", text)
    return [part for word in text.split() for part in _split_joined(word)]


def _split_joined(word: str) -> list[str]:
    if word.startswith(_VALIDATION_STEM) and word not in _NO_VALIDATION:  # Validierung, validatie
        return ["validation"]
    match = _JOINED_WORDS.fullmatch(word)
    return list(match.groups()) if match else [word]
