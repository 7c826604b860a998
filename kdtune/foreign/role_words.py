"""Know the words for the roles of networks, as people write them in columns of text, and in truths ("kd: false")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pandas as pd

from kdtune.columns import BASELINE, STUDENT, TEACHER
from kdtune.foreign.column_names import split_words

ROLES: Mapping[str, str] = MappingProxyType({
    TEACHER: TEACHER, "teachers": TEACHER,
    BASELINE: BASELINE, "baseline": BASELINE, "scratch": BASELINE, "vanilla": BASELINE, "student baseline": BASELINE,
    "baseline student": BASELINE, "student scratch": BASELINE, "hard labels": BASELINE, "labels only": BASELINE,
    "labels": BASELINE, "no distillation": BASELINE, "no kd": BASELINE, "undistilled": BASELINE, "ce": BASELINE,
    "cross entropy": BASELINE, "crossentropy": BASELINE,
    "distilled student": STUDENT, "distilled": STUDENT, "distill": STUDENT, "distillation": STUDENT, "kd": STUDENT,
    "kd student": STUDENT, "student kd": STUDENT, "distilled students": STUDENT, "student distilled": STUDENT,
})  # fmt: skip
ROLE_NOUNS = {STUDENT: "distilled student", BASELINE: "baseline", TEACHER: "teacher"}
# They are baselines only in rows without T: a soft loss may be a cross-entropy, too.
WEAK_WORDS = {"ce", "cross entropy", "crossentropy"}
# Single words that say a role in a longer text: "CE baseline", "KD (ours)".
_ROLES_BY_WORD = {
    "teacher": TEACHER, "teachers": TEACHER, "baseline": BASELINE, "baselines": BASELINE, "scratch": BASELINE,
    "vanilla": BASELINE, "undistilled": BASELINE, "kd": STUDENT, "distilled": STUDENT, "distill": STUDENT,
    "distillation": STUDENT,
}  # fmt: skip
# Words that turn the others round, or name another method: "without KD", "teacher assistant", "mean teacher".
_DOUBTFUL_WORDS = {"no", "not", "non", "without", "w/o", "wo", "un", "assistant", "ta", "mean", "ema", "self", "free",
                   "co", "online", "mutual", "multi", "ensemble"}  # fmt: skip
_STUDENT_TRUTHS = {"kd", "kd enabled", "enable kd", "use kd", "is kd", "with kd", "has kd", "do kd", "distill",
                   "distill enabled", "use distill", "do distill", "is distill", "distilled", "is distilled",
                   "use distillation", "distillation", "distillation enabled", "with distillation", "is distillation",
                   "is student distilled"}  # fmt: skip
_BASELINE_TRUTHS = {"is baseline", "baseline", "no kd", "is scratch", "scratch", "from scratch", "labels only",
                    "is labels only", "hard labels only", "no distillation"}  # fmt: skip
_TRUTHS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def normalize(value: object) -> str:
    """Return a value in small letters, with blanks between words."""
    return str(value).strip().lower().replace("_", " ").replace("-", " ")


def read_role(value: object) -> str | None:
    """Return the role that a text names; None if it names none."""
    return ROLES.get(normalize(value))


def find_role_in(value: Any) -> str | None:
    """Return the role that a text names, or one word of it, as in "CE baseline"; None if that is none, or not clear."""
    if pd.isna(value):
        return None
    exact = read_role(value)
    if exact is not None:
        return exact
    words = re.findall(r"w/o|[a-z]+", normalize(value))
    roles = {_ROLES_BY_WORD[word] for word in words if word in _ROLES_BY_WORD}
    return roles.pop() if len(roles) == 1 and not _DOUBTFUL_WORDS & set(words) else None


def read_truth(value: object) -> bool | None:
    """Return a truth, which may be a text or number; None if it is none."""
    return _TRUTHS.get(re.sub(r"[.]0$", "", str(value).strip().lower()))


def read_truths(name: str, values: list[Any]) -> list[str] | None:
    """Return the roles that truths say by the name of their column; None if they say none.

    Parameters
    ----------
    name : The column, by the table's own name, as "kd.enabled" or "is_baseline".
    values : Its different values, none of them missing.
    """
    words = split_words(name)
    phrases = {" ".join(words), " ".join(words[-2:]), " ".join(words[-3:])} if len(words) > 1 else set(words)
    is_for_students = bool(phrases & _STUDENT_TRUTHS)
    if not is_for_students and not phrases & _BASELINE_TRUTHS:
        return None
    truths = [read_truth(value) for value in values]
    if None in truths or len(set(truths)) < 2:
        return None
    return [STUDENT if truth == is_for_students else BASELINE for truth in truths]
