"""Sweep files: what they may say, and what messages say about mistakes."""

from __future__ import annotations

import itertools
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from kdtune.errors import SweepFileError
from kdtune.inputs.reader import InputReader
from kdtune.settings import Distill, Replicates, Resources, SweepHeader, Train, Transfer
from kdtune.spec import grid, size_limits
from kdtune.spec.block_validation import BlockValidator
from kdtune.spec.load import load_spec
from kdtune.spec.mistakes import MistakeCollector
from kdtune.spec.schema import BLOCKS, KINDS
from kdtune.spec.starting_file import make_starting_file
from kdtune.spec.suggestions import _SYNONYMS
from kdtune.spec.variants import VariantMaker
from kdtune.spec.yaml_tree import YamlNode, read_yaml_text
from tests.conftest import SMALL


def mistakes(path: Path, *overrides: str, **options) -> list[str]:
    with pytest.raises(SweepFileError) as caught:
        load_spec(path, overrides, **options)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_defaults_are_the_tutorials(write):
    spec = load_spec(
        write("name: x\ndataset: {kind: make_classification}\nteacher: {}\nstudent: {}\ndistill: {T: 3}\n")
    )
    (case,) = spec.cases
    assert (case.dataset.n_samples, case.dataset.n_features, case.dataset.n_classes) == (50_000, 100, 10)
    assert (case.dataset.n_train, case.dataset.val_size, case.dataset.test_size) == (40_000, 10_000, 10_000)
    assert case.dataset.flip_y == 0.01
    assert (case.teacher.hidden_sizes, case.teacher.dropout) == ([100, 100, 100], 0.2)
    assert (case.student.hidden_sizes, case.student.dropout) == ([50, 50], 0)
    assert (case.distill.T, case.distill.hard_weight, case.distill.scale_T2) == (3, 0, True)
    train = case.student_train
    assert (train.epochs, train.batch_size, train.optimizer, train.lr) == (50, 100, "adam", 0.001)
    assert spec.replicates.count == 1


def test_grids_at_any_depth(spec):
    cases = spec(
        "distill.T=[2, 4]",
        "dataset.class_sep=1",
        "student={grid_search: [{width: 5}, {hidden: [4, {grid_search: [2, 3]}]}]}",
        "teacher={grid_search: [{hidden: [9]}, {hidden: {grid_search: [[8], [7, 7]]}}]}",
    ).cases
    assert len(cases) == 2 * 3 * 3
    assert {tuple(c.student.hidden_sizes) for c in cases} == {(5, 5), (4, 2), (4, 3)}
    assert {tuple(c.teacher.hidden_sizes) for c in cases} == {(9,), (8,), (7, 7)}


def test_the_train_blocks_of_teacher_student_and_distill_override_train(spec):
    cases = spec(
        "train.epochs=3",
        "teacher.train={epochs: 7}",
        "student.train={lr: 0.1}",
        "distill={grid_search: [{T: 2}, {T: 4, train: {epochs: 9}}]}",
    ).cases
    assert {c.teacher_train.epochs for c in cases} == {7}
    assert {(c.student_train.epochs, c.student_train.lr) for c in cases} == {(3, 0.1)}
    assert {(c.distill.T, c.distill_train.epochs, c.distill_train.lr) for c in cases} == {(2, 3, 0.1), (4, 9, 0.1)}


def test_a_resolved_file_means_the_same(spec, write, tmp_path):
    from kdtune.plan.enumerate_networks import enumerate_networks

    first = spec("student={grid_search: [{width: 5}, {depth: 3}]}", "replicates={student: 2}")
    path = tmp_path / "again.yaml"
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump(first.filled_sweep, file)
    assert [n.id for n in enumerate_networks(load_spec(path))] == [n.id for n in enumerate_networks(first)]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("train.epohs=3", "train.epohs: is not a setting here; did you mean 'epochs'?"),
        ("distil.T=3", "distil: is not a setting here; did you mean 'distill'?"),
        ("train.epochs=lots", "train.epochs: must be a whole number, not the text 'lots'"),
        ("train.epochs=0", "train.epochs: must be at least 1, not 0"),
        ("train.epochs=1.5", "train.epochs: must be a whole number, not 1.5"),
        ("train.lr=0", "train.lr: must be greater than 0, not 0"),
        ("train.lr=.inf", "train.lr: must be finite, not inf"),
        ("train.lr=.nan", "train.lr: must be finite, not nan"),
        ("train.optimizer=adamm", "must be adam, adamw or sgd"),
        ("train.batch_size=100000", "is more than the 400 training examples; at most 400 is right"),
        ("distill.T=[]", "distill.T: grid_search is empty"),
        ("distill.T=[2, 2.0]", "distill.T: 2.0 stands twice in the grid"),
        ("distill.T=0", "distill.T: must be at least 1e-06, not 0"),
        ("distill.T=-3", "distill.T: must be at least 1e-06, not -3"),
        ("distill.T=.nan", "distill.T: must be finite, not nan"),
        ("distill.T=hot", "distill.T: must be a number, not the text 'hot'"),
        ("distill.T=true", "distill.T: must be a number, not true"),
        ("distill.T=null", "distill.T: must be a number, not nothing"),
        ("distill.T={grid_search: 3}", "grid_search takes a list"),
        ("distill.T={grid_search: [1], x: 2}", "'x' stands beside grid_search"),
        ("student.width=0", "student.width: must be at least 1, not 0"),
        ("student.width=4.5", "student.width: must be a whole number, not 4.5"),
        ("student.hidden=[3]", "student.hidden: has both hidden and depth or width"),
        ("teacher.dropout=1", "teacher.dropout: must be less than 1, not 1"),
        ("teacher.dropout=-0.1", "teacher.dropout: must be at least 0, not -0.1"),
        ("teacher.kind=transformer", "teacher.kind: cannot be the text 'transformer'; must be one of mlp, cnn"),
        ("dataset.kind=mnist", "dataset.kind: cannot be the text 'mnist'; must be one of make_classification, digits"),
        ("dataset.p_informative=0", "dataset.p_informative: must be greater than 0"),
        ("dataset.p_informative=1.1", "dataset.p_informative: must be at most 1"),
        ("dataset.p_informative=0.08", "too few for 3 clusters; at least 2 are needed"),
        ("dataset.test_size=1.0", "dataset.test_size: must be a fraction between 0 and 1"),
        ("dataset.test_size=500", "dataset.test_size: 500 takes all 500 examples"),
        ("replicates=0", "replicates: must be a whole number from 1 to 1,000,000,000"),
        ("replicates={data: 2, student: 3}", "replicates: 1, 2 and 3 do not divide one another"),
        ("replicates=[1, 2]", "replicates: cannot be swept"),
        ("name=../up", "name: must be a plain file name"),
        ("name=.hidden", "name: must be a plain file name"),
        ("name=teachers", "name: 'teachers' is taken"),
        ("dataset=digits", "dataset: must be a block of settings, not the text 'digits'; write {kind: digits}"),
        ("teacher=5", "teacher: must be a block of settings, not 5"),
        ("resources.cpus_per_worker=0", "resources.cpus_per_worker: must be at least 1"),
        ("train=[1]", "train: must be a block of settings"),
        ("distill.T={grid_serach: [2, 4]}", "distill.T: 'grid_serach' is not a grid; did you mean 'grid_search'?"),
        ("distill.T={grid_search: [{grid_search: [1, 2]}, 2]}", "distill.T: 2 stands twice in the grid"),
        ("distill.T=1e200", "distill.T: must be at most 1,000,000"),
        ("dataset.kind={}", "dataset.kind"),
        ("dataset.n_features=1e12", "dataset.n_features: must be at most 1,000,000"),
        ("dataset={kind: digits, digits: 3}", "dataset.digits: is not a setting here"),
        ("seed=123456789012345678901234567890", "seed: must be less than"),
        ("teacher.train={batch_size: 401}", "teacher.train.batch_size: 401 is more than the 400 training examples"),
        ("student.train=5", "student.train: must be a block of settings"),
        ("train.optimizer={grid_serach: [adam, sgd]}", "'grid_serach' is not a grid; did you mean 'grid_search'?"),
        ("student={grid_serach: [{width: 3}, {width: 4}]}", "'grid_search'"),
        ("dataset.test_size={grid_serach: [3, 4]}", "'grid_serach' is not a grid; did you mean 'grid_search'?"),
        ("nonsense", "must be PATH=VALUE"),
        pytest.param("a." * 5000 + "a=1", "has a path of more than 50 names", id="deep path"),
        ("distill.T.grid_search.²=1", "leads nowhere"),
        pytest.param("seed=0x" + "f" * 5000, "is too large for any setting", id="number too long to print"),
        pytest.param("distill.bias_start={" + "9" * 900 + ": 1}", "is not a class", id="class too long to print"),
        ("name.x.y=3", "leads nowhere"),
    ],
)
def test_one_mistake_gives_one_message(write, override, expected):
    messages = mistakes(write(), override)
    assert len(messages) == 1, messages
    assert expected in messages[0]
    assert messages[0].startswith(("--set", str(write())))


def test_all_mistakes_at_once_with_their_lines(write):
    path = write(
        """\
name: a/b
datset: {}
dataset:
  kind: make_classification
  class_sep: {grid_search: [1, -1]}
student:
  width: 0
  train: {epochs: none}
distill:
  T:
    grid_search:
      - 2
      - cold
"""
    )
    assert [m.removeprefix(f"{path}:") for m in mistakes(path)] == [
        "1: teacher: is missing; it has no default",
        "1: name: must be a plain file name: letters, digits and '._+-', beginning with a letter or a digit, "
        "not the text 'a/b'",
        "2: datset: is not a setting here; did you mean 'dataset'?",
        "5: dataset.class_sep: must be greater than 0, not -1",
        "7: student.width: must be at least 1, not 0",
        "8: student.train.epochs: must be a whole number, not the text 'none'",
        "13: distill.T: must be a number, not the text 'cold'",
    ]


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is empty"),
        ("# nothing\n", "is empty"),
        ("- 1\n- 2\n", "must be a mapping"),
        ("name: [1\nb: 2", "is not YAML"),
        ("name: x\ntrain:\n  lr:0.001\n  epochs: 3\n", "look at this line and the one before"),
        ("name: x\nname: y\n", "twice"),
        ("name: !!python/object/apply:os.system ['false']\n", "has the YAML tag"),
        ("name: !thing x\n", "has the YAML tag"),
        (BOMB, "values (aliases counted)"),
        ("a: &a [*a]\n", "nested"),
        ("seed: !!bool x\n", "1: 'x' is not a valid YAML bool"),
        ("seed: " + "[" * 400 + "]" * 400, "nested more than 50 deep"),
        ("name: x\n---\nname: y\n", "is not YAML"),
        ("base: &b {a: 1}\nc: {<<: *b}\n", "merge key"),
        ("a: &b 1\nc: &b 2\n", "c: is not a setting here"),
        ("? [1, 2]\n: 3\n", "key that is a list or a block"),
        ("name: x\tb\x07\n", "is not YAML"),
        ("- " * 3000, "nested too deeply"),
        ("a: " + "[" * 3000, "small.yaml:1: is nested more than 50 deep"),
    ],
)
def test_text_that_is_not_a_sweep_is_refused(write, text, expected):
    assert expected in "\n".join(mistakes(write(text)))


def test_what_cannot_be_read_as_text_is_refused(tmp_path):
    assert "does not exist" in mistakes(tmp_path / "none.yaml")[0]
    assert "is a directory" in mistakes(tmp_path)[0]
    (tmp_path / "latin.yaml").write_bytes("name: caf\xe9".encode("latin-1"))
    assert "is not UTF-8" in mistakes(tmp_path / "latin.yaml")[0]


def test_a_grid_that_is_too_large_is_refused_before_it_is_expanded(write):
    messages = mistakes(write(), f"distill.T={[i + 1 for i in range(5000)]}", "replicates=50000")
    assert "1,000,000,000 students or more, over the limit of 100,000" in messages[0]


@pytest.mark.parametrize(
    "blocks",
    [
        {"replicates": {"data": 1, "student": 5, "teacher": 1e9}},
        {"replicates": 1e9},
        {"student": {"hidden": [{"grid_search": [1, 2]}] * 20}},
    ],
)
def test_a_sweep_that_is_too_large_is_refused_however_its_size_is_written(write, blocks):
    messages = mistakes(write(**blocks), "name=a/b")
    assert len(messages) == 2, "the size is refused, and the wrong name is reported too"
    assert any("over the limit of 100,000 networks" in mistake for mistake in messages)


@pytest.mark.parametrize(
    "replicates", [{"teacher": "many"}, {"teacher": None}, {"teacher": True}, [3], None, {"grid_search": [1, 2]}, -1e9]
)
def test_replicates_that_are_no_numbers_are_refused_for_that_alone(write, replicates):
    (mistake,) = mistakes(write(replicates=replicates))
    assert "replicates" in mistake
    assert "over the limit" not in mistake


def test_a_count_too_long_to_print_is_refused(write):
    text = write().read_text() + "transfer: {omit: [&grid {grid_search: [1, 2]}" + ", *grid" * 15_000 + "]}\n"
    (mistake,) = mistakes(write(text))
    assert "asks for more than 1,000,000,000,000,000 students" in mistake


RATES = {"grid_search": [i / 100 for i in range(100)]}
MANY_CLASSES = {"kind": "make_classification", "n_features": 100, "n_classes": 10**6}


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ({"student": {"depth": 1000, "dropout": RATES}}, "layers of students"),
        ({"student": {"depth": 1000}, "replicates": 50}, "layers of students"),
        ({"teacher": {"depth": 1000, "dropout": RATES}, "replicates": 2}, "layers of teachers"),
        ({"teacher": {"hidden": [5] * 2000, "dropout": RATES}}, "values of blocks"),
        ({"teacher": {"unknown": {"a": [5] * 2000, "b": RATES}}}, "values of blocks"),
        ({"train": {"unknown": [5] * 2000}, "student": {"train": {"momentum": RATES}}}, "values of train blocks"),
        ({"dataset": MANY_CLASSES, "transfer": {"omit": [1]}}, "classes of transfer sets"),
    ],
)
def test_what_grids_multiply_is_bounded(write, monkeypatch, blocks, expected):
    monkeypatch.setattr(size_limits, "MAX_COUNT_PER_NETWORK", 1)  # Smaller sweeps are read faster.
    assert any(f"has more than 100,000 {expected}" in mistake for mistake in mistakes(write(**blocks)))


def test_the_grids_of_an_unknown_block_which_has_no_size_limit_are_not_looked_at(write):
    (mistake,) = mistakes(write(unknown={"a": {"grid_search": [1, 1]}}))
    assert "unknown: is not a setting here" in mistake


def test_classes_and_layers_may_be_many_where_nothing_multiplies_them(spec):
    case = spec(dataset={**MANY_CLASSES, "n_samples": 10**9}, distill={"T": 2}, student={"depth": 1000}).cases[0]
    assert case.student.n_layers == 1001
    omitted = list(range(0, 10**5, 2))
    transfer = Transfer(omit=omitted)
    assert len(transfer.list_classes(10**6)) == 10**6 - len(omitted)


@pytest.mark.parametrize(
    "blocks",
    [
        {"student": {"hidden": ["x"] * 1100}},
        {"transfer": {"keep": {"grid_search": [[9, 10 + i] for i in range(1100)]}}},
        {"distill": {"T": {"grid_search": [{"grid_search": i} for i in range(1100)]}}},
        {f"unknown{i}": 1 for i in range(1100)},
        {"distill": {"grid_search": [{"T": i, "train": i} for i in range(1, 1100)]}},
    ],
    ids=["values", "classes", "grids", "names", "train blocks"],
)
def test_no_more_than_a_thousand_mistakes_are_collected(tmp_path, blocks):
    path = tmp_path / "long.yaml"
    with path.open("w") as file:
        yaml = YAML(typ="safe", pure=True)
        yaml.default_flow_style = False  # One line for each value, since a mistake that is repeated is reported once.
        yaml.dump({**SMALL, **blocks}, file)
    messages = mistakes(path)
    assert len(messages) == 1001
    assert "there may be more mistakes" in messages[-1]


SWEPT = {"grid_search": [{"eval_every": 1}, {"eval_every": 2}]}
SWEPT_TRAINS = {"grid_search": [{"train": train} for train in SWEPT["grid_search"]]}


@pytest.mark.parametrize(
    ("blocks", "block"),
    [
        ({"train": {"eval_every": {"grid_search": [0, 1]}}}, "train"),
        ({"train": SWEPT}, "train"),
        ({"train": {"grid_search": [{}, {"eval_every": 2}]}}, "train"),
        ({"teacher": {"train": SWEPT}}, "teacher.train"),
        ({"teacher": SWEPT_TRAINS}, "teacher.train"),
        ({"teacher": {"grid_search": [{"train": {"eval_every": 2}}, {}]}, "train": {"eval_every": 1}}, "teacher.train"),
        ({"teacher": {"grid_search": [{"hidden": [3], "train": {"eval_every": i + 1, "lr": [0.1, 0.10][i]}}
                                      for i in range(2)]}}, "teacher.train"),
        ({"student": {"grid_search": [{"width": 5, "depth": 2}, {"hidden": [5, 5], "train": {"eval_every": 2}}]}},
         "student.train"),
        ({"student": {"train": SWEPT}, "distill": {"T": 2}}, "student.train"),
        ({"distill": {"T": 2, "train": SWEPT}}, "distill.train"),
        ({"train": {"grid_search": [{"lr": 1, "eval_every": 1}, {"lr": 2, "eval_every": 2}]},
          "teacher": {"train": {"lr": 3}}}, "train"),
        ({"student": {"train": {"eval_every": 3}}, "distill": {"grid_search": [
            {"T": 2, "train": {"eval_every": 2}}, {"T": 2}]}}, "distill.train"),
    ],
)  # fmt: skip
def test_no_value_of_eval_every_is_lost_however_the_grid_is_written(write, blocks, block):
    (mistake,) = mistakes(write(**blocks))
    assert f"{block}.eval_every: cannot be swept" in mistake


def test_a_lost_eval_every_is_reported_where_its_value_stands(write):
    text = write().read_text().partition("train:")[0]
    path = write(text + "train:\n  grid_search:\n  - lr: 1\n  - lr: 1\n    eval_every: 2\n")
    line = path.read_text().splitlines().index("    eval_every: 2") + 1
    assert mistakes(path) == [f"{path}:{line}: train.eval_every: cannot be swept, since it changes no network; "
                              "give one value"]  # fmt: skip


def test_eval_every_may_differ_between_different_networks(spec):
    cases = spec(
        train={"epochs": 2, "eval_every": 3},
        teacher={"grid_search": [{"hidden": [i], "train": {"eval_every": i}} for i in (4, 5)]},
        student={"train": {"eval_every": 2}},
        distill={"grid_search": [{"T": 2}, {"T": 4, "train": {"eval_every": 1}}]},
    ).cases
    assert {(*c.teacher.hidden_sizes, c.teacher_train.eval_every) for c in cases} == {(4, 4), (5, 5)}
    assert {(c.distill.T, c.distill_train.eval_every) for c in cases} == {(2, 2), (4, 1)}


@pytest.mark.parametrize(
    ("blocks", "field"),
    [
        ({"student": {"kind": "cnn", "pool": [2, {"grid_search": []}]}}, "student.pool.1"),
        ({"student": {"hidden": [2, {"grid_search": 3}]}}, "student.hidden.1"),
        ({"teacher": {"train": {"grid_search": []}}}, "teacher.train"),
        ({"train": {"grid_search": []}}, "train"),
    ],
)
def test_a_grid_without_items_is_reported_as_that_alone(write, blocks, field):
    (mistake,) = mistakes(write(**blocks))
    assert f"{field}: grid_search" in mistake


def test_an_invalid_grid_does_not_hide_that_a_setting_is_missing_beside_it(write):
    messages = mistakes(write(distill={"hard_weight": {"grid_search": []}}))
    assert any("distill.T: is missing" in message for message in messages)


def test_a_wrong_value_in_train_is_reported_once_even_if_every_block_overrides_it(write):
    blocks = {name: {"train": {"lr": 0.1}} for name in ("teacher", "student")}
    (mistake,) = mistakes(write(train={"lr": -1}, **blocks))
    assert "train.lr: must be greater than 0, not -1" in mistake
    (mistake,) = mistakes(write(train={"lr": -1}))
    assert "train.lr: must be greater than 0, not -1" in mistake


def test_the_last_block_varies_fastest_and_the_first_block_slowest(spec):
    cases = spec(
        distill={"T": {"grid_search": [1, 2]}},
        student={"width": {"grid_search": [3, 7]}},
        teacher={"hidden": {"grid_search": [[9], [8]]}},
        train={"epochs": {"grid_search": [2, 1]}},
        transfer={"omit": {"grid_search": [[0], [1]]}},
    ).cases
    rows = [
        (c.dataset.class_sep, c.transfer.omit, c.student_train.epochs, c.teacher.hidden, c.student.width, c.distill.T)
        for c in cases
    ]
    assert rows == list(itertools.product((0.5, 1.5), ([0], [1]), (2, 1), ([9], [8]), (3, 7), (1, 2)))


def test_a_missing_block_has_one_empty_variant(write):
    mistakes = MistakeCollector()
    tree = read_yaml_text("name: x\nseed: 3\n", "f")
    maker = VariantMaker(
        BlockValidator(None, False, mistakes, InputReader()), size_limits.SizeLimit(tree, 1, mistakes), mistakes
    )
    (variant,) = maker.make_variants(tree)["teacher"]
    assert (variant.settings, variant.node.value, variant.train.is_empty) == (None, {}, True)


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ({"distill": {"T": [1, 2, 4]}}, "distill.T: must be a number, not the list 1, 2, 4; GRID: [1, 2, 4]}"),
        ({"distill": {"T": "1, 2.5, 4"}}, "distill.T: must be a number, not the text '1, 2.5, 4'; GRID: [1, 2.5, 4]}"),
        ({"student": {"width": [3, 4]}}, "student.width: must be a whole number, not the list 3, 4; GRID: [3, 4]}"),
        ({"train": {"lr": [0.1, 1]}}, "train.lr: must be a number, not the list 0.1, 1; GRID: [0.1, 1]}"),
        ({"student": {"train": {"epochs": [3, 4]}}}, "student.train.epochs: must be a whole number, not the list 3, 4; "
         "GRID: [3, 4]}"),
        ({"dataset": {**MANY_CLASSES, "class_sep": [1, 2]}}, "dataset.class_sep: must be a number, not the list 1, 2; "
         "GRID: [1, 2]}"),
        ({"dataset": {**MANY_CLASSES, "test_size": [0.1, 0.2]}}, "at most 1,000,000,000, not the list 0.1, 0.2; "
         "GRID: [0.1, 0.2]}"),
        ({"teacher": {"dropout": [0, 0.5]}}, "teacher.dropout: must be a number, not the list 0, 0.5; GRID: [0, 0.5]}"),
        ({"distill": {"T": 2, "scale_T2": [True, False]}}, "must be true or false, not the list true, false; "
         "GRID: [true, false]}"),
        ({"train": {"optimizer": ["adam", "sgd"]}}, "cannot be the list adam, sgd; must be adam, adamw or sgd; "
         "GRID: [adam, sgd]}"),
        ({"teacher": {"activation": ["relu", "tanh"]}}, "GRID: [relu, tanh]}"),
        ({"teacher": {"kind": ["mlp", "cnn"]}}, "teacher.kind: cannot be the list mlp, cnn; must be one of mlp, cnn, "
         "logits, probabilities, sklearn, python; GRID: [mlp, cnn]}"),
        ({"dataset": {"kind": ["digits", "torchvision"]}}, "GRID: [digits, torchvision]}"),
        ({"student": [{"width": 3}, {"width": 4}]}, "student: must be a block of settings, not the list {...}, {...}; "
         "GRID: [{...}, {...}]}"),
        ({"distill": {"T": 2, "bias_start": {"1": [2, 3]}}}, "bias_start.1: must be a number, not the list 2, 3; "
         "GRID: [2, 3]}"),
    ],
)  # fmt: skip
def test_a_list_for_one_value_is_answered_with_how_to_write_a_grid(write, blocks, expected):
    (mistake,) = mistakes(write(**blocks))
    assert mistake.endswith(expected.replace("GRID", "to try several values, write {grid_search"))


@pytest.mark.parametrize(
    ("blocks", "items"),
    [
        ({"distill": {"T": {"grid": [1, 2]}}}, "1, 2"),
        ({"distill": {"T": {"values": [1, 2]}}}, "1, 2"),
        ({"distill": {"T": {"choice": [1, 2]}}}, "1, 2"),
        ({"distill": {"T": {"choices": [1, "hot"]}}}, "..."),
        ({"distill": {"T": {"loguniform": {"min": 1, "max": 9}}}}, "..."),
        ({"distill": {"T": {"min": 1, "max": 9}}}, "..."),
        ({"distill": {"T": 2, "bias_start": {1: {"values": [2, 3]}}}}, "2, 3"),
        ({"train": {"optimizer": {"values": ["adam", "sgd"]}}}, "adam, sgd"),
        ({"dataset": {**MANY_CLASSES, "test_size": {"values": [0.1, 0.2]}}}, "0.1, 0.2"),
        ({"distill": {"T": "1 2 4"}}, "1, 2, 4"),
        ({"distill": {"T": "1-4"}}, "..."),
        ({"distill": {"T": "range(1,5)"}}, "..."),
    ],
)
def test_what_other_tools_take_for_a_grid_is_answered_with_how_to_write_one(write, blocks, items):
    (mistake,) = mistakes(write(**blocks))
    assert mistake.endswith(f"; to try several values, write {{grid_search: [{items}]}}")


def test_an_empty_list_is_answered_with_how_to_write_one_or_several_values(write):
    (mistake,) = mistakes(write(distill={"T": []}))
    assert mistake.endswith("not an empty list; give one value, or several as {grid_search: [...]}")


@pytest.mark.parametrize(("value", "expected"), [(3, "not 3; write [3]"), ("5, 9", "write [5, 9]")])
def test_a_number_for_a_list_is_answered_with_how_to_write_the_list(write, value, expected):
    (mistake,) = mistakes(write(student={"hidden": value}))
    assert mistake.endswith(expected)


@pytest.mark.parametrize("seed", [[1, 2], {"grid_search": [1, 2]}])
def test_several_seeds_lead_to_replicates(write, seed):
    (mistake,) = mistakes(write(seed=seed))
    assert mistake.endswith("; to repeat the sweep with several seeds, set replicates")


@pytest.mark.parametrize(
    ("overrides", "location"),
    [
        (["replicates=50000"], "--set replicates=50000"),
        (["distill.T=[2, 4]", "replicates.student=50000"], "--set replicates.student=50000"),
        (["distill.T.grid_search=[1, 2, 3, 4]"], "--set distill.T.grid_search=[1, 2, 3, 4]"),
        (["distill.T=[2, 4]"], "small.yaml:1"),
    ],
)
def test_a_sweep_that_is_too_large_is_blamed_on_the_override_that_made_it_so(write, overrides, location):
    path = write(student={"width": {"grid_search": [3, 7, 8]}})
    (mistake,) = mistakes(path, *overrides, max_networks=11)
    assert mistake.removeprefix(f"{path.parent}/").startswith(f"{location}: asks for")


def test_counts_and_bounds_in_messages_are_written_out(write):
    (mistake,) = mistakes(write(), max_networks=1)
    assert "over the limit of 1 network: the grid has 12 combinations, with 1 replicate of each;" in mistake
    (mistake,) = mistakes(
        write(), "dataset={kind: digits}", "student={}", "distill.T=2", "replicates=2", max_networks=1
    )
    assert "the grid has 1 combination, with 2 replicates of each;" in mistake
    (mistake,) = mistakes(write(), "train.epochs=1e18")
    assert mistake.endswith("train.epochs: must be at most 1,000,000,000, not 1e18")


@pytest.mark.parametrize("name", ["plain.yaml", "with space/x.yaml", "it's; here/x.yaml"])
def test_the_commands_in_a_starting_file_name_it_as_a_shell_reads_it(name):
    comments = make_starting_file(Path(name)).splitlines()[3:5]
    assert [shlex.split(comment, comments=False)[1:4] for comment in comments] == [
        ["kdtune", command, name] for command in ("plan", "sweep")
    ]


def test_a_list_of_lists_is_answered_with_a_grid_of_lists(write):
    for mistake in mistakes(write(student={"hidden": [[5, 5], [9, 4]]})):
        assert mistake.endswith("; to try several lists, write {grid_search: [[5, 5], [9, 4]]}")


@pytest.mark.parametrize(
    "blocks",
    [
        {"replicates": [1, 2]},
        {"seed": [1, 2]},
        {"resources": {"workers": [1, 2]}},
        {"train": {"eval_every": [1, 2]}},
        {"teacher": {"kind": "cnn", "pool": [0, 2]}},
        {"teacher": {"hidden": 5}},
        {"distill": {"T": ["a", "b"]}},
        {"distill": {"T": "2 hot"}},
        {"train": {"optimizer": ["adam", "magic"]}},
        {"distill": {"T": 2, "bias_start": {"a": 3}}},
    ],
)
def test_no_grid_is_offered_where_it_would_be_refused_or_a_list_is_right(write, blocks):
    assert not any("grid_search" in mistake for mistake in mistakes(write(**blocks)))


@pytest.mark.parametrize(
    ("path", "setting"),
    [
        ("distill.temperature", "T"),
        ("distill.temp", "T"),
        ("distill.tau", "T"),
        ("distill.t", "T"),
        ("distill.alpha", "hard_weight"),
        ("train.learning_rate", "lr"),
        ("train.learningRate", "lr"),
        ("student.train.n_epochs", "epochs"),
        ("train.batchsize", "batch_size"),
        ("train.optimiser", "optimizer"),
        ("teacher.hidden_units", "hidden"),
        ("student.n_layers", "depth"),
        ("student.neurons", "width"),
        ("dataset.num_samples", "n_samples"),
        ("dataset.label_noise", "flip_y"),
        ("resources.n_jobs", "workers"),
        ("repeats", "replicates"),
        ("random_state", "seed"),
        ("data", "dataset"),
        ("distillation", "distill"),
    ],
)
def test_what_others_call_a_setting_leads_to_ours(write, path, setting):
    messages = [mistake for mistake in mistakes(write(), f"{path}=3") if "is not a setting here" in mistake]
    assert len(messages) == 1
    assert messages[0].endswith(f"did you mean {setting!r}?")


@pytest.mark.parametrize(
    ("path", "suggestion"),
    [
        ("temperature", "distill.T"),
        ("T", "distill.T"),
        ("t", "distill.T"),
        ("learning_rate", "train.lr"),
        ("lr", "train.lr"),
        ("n_epochs", "train.epochs"),
        ("epochs", "train.epochs"),
        ("train.temperature", "distill.T"),
        ("teacher.temperature", "distill.T"),
        ("student.temperature", "distill.T"),
        ("student.train.T", "distill.T"),
        ("student.learning_rate", "student.train.lr"),
        ("distill.learning_rate", "distill.train.lr"),
        ("teacher.epochs", "teacher.train.epochs"),
        ("train.test_size", "dataset.test_size"),
        ("n_jobs", "resources.workers"),
        ("train.seed", "seed at the top of the file"),
        ("distill.dropout", "teacher.dropout or student.dropout"),
        ("train.architecture", "dataset.kind, teacher.kind or student.kind"),
    ],
)
def test_a_setting_in_a_wrong_place_leads_to_its_right_place(write, path, suggestion):
    messages = [mistake for mistake in mistakes(write(), f"{path}=3") if "is not a setting here" in mistake]
    assert len(messages) == 1
    assert messages[0].endswith(f"{path}: is not a setting here; did you mean {suggestion}?")


def test_what_one_network_lacks_because_of_its_kind_is_not_sought_in_the_other(write):
    (mistake,) = mistakes(write(), "teacher.channels=[3]")
    assert mistake.endswith(
        "teacher.channels: belongs to another kind of teacher; write kind: cnn (the default is mlp)"
    )


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (
            "teacher: {factory: 'a:B', trained: true, weights: a.pt}",
            "write kind: sklearn or kind: python (the default is",
        ),
        ("student: {factory: 'a:B', args: {width: 3}}", "write kind: python (the default is mlp)"),
        ("student: {kind: mlp, factory: 'a:B'}", "student.factory: is not a setting here"),
    ],
)
def test_a_forgotten_kind_is_said_once(write, tmp_path, block, expected):
    path = tmp_path / "kind.yaml"
    lines = [f"{name}: {value}" for name, value in SMALL.items() if name != block.partition(":")[0]]
    path.write_text("\n".join([*lines, block]))
    (mistake,) = mistakes(path)
    assert expected in mistake


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ({"distill": {"temperature": [1, 2, 4]}}, "distill.temperature: is not a setting here; did you mean 'T'?"),
        ({"dataset": {"type": "digits"}}, "dataset.kind: is missing; write 'kind' instead of 'type'"),
        ({"distill": None, "kd": {"T": 2}}, "kd: is not a setting here; did you mean 'distill'?"),
        ({"distill": None, "distil": {"T": 2}}, "distil: is not a setting here; did you mean 'distill'?"),
    ],
)
def test_a_required_setting_under_another_name_is_not_also_reported_as_missing(tmp_path, blocks, expected):
    path = tmp_path / "synonym.yaml"
    sweep = {name: value for name, value in {**SMALL, **blocks}.items() if value is not None}
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump(sweep, file)
    (mistake,) = mistakes(path)
    assert mistake.endswith(expected)


def test_a_synonym_is_offered_only_where_its_setting_is_valid(write):
    (mistake,) = mistakes(write(), "train.temperature=3")
    assert "'T'" not in mistake
    (mistake,) = mistakes(write(), "dataset={kind: digits, class_separation: 1}")
    assert "class_sep" not in mistake.split("here; ")[1]


def test_every_synonym_stands_for_one_setting_that_exists():
    models = [SweepHeader, Replicates, Resources, Train, Transfer, Distill]
    models += [model for kinds in KINDS.values() for model in kinds.values()]
    settings = {name for model in models for name in model.model_fields} | set(BLOCKS)
    assert set(_SYNONYMS) <= settings
    synonyms = [synonym for names in _SYNONYMS.values() for synonym in names]
    assert len(synonyms) == len(set(synonyms))
    # What is a setting in one block may be a synonym in another: data in replicates, others of given data.
    assert set(synonyms) & settings == {"data", "folder", "drop", "size"}


def test_a_train_block_that_is_no_block_is_reported_even_if_all_of_it_is_overridden(write):
    blocks = {name: {"train": {"epochs": 3, "batch_size": 9}} for name in ("teacher", "student")}
    messages = mistakes(write(train=5, **blocks))
    assert any("train: must be a block of settings, not 5" in mistake for mistake in messages)


def test_mistakes_beside_a_missing_name_are_reported(write):
    text = write(seed=-1).read_text().replace("name: small\n", "")
    assert [mistake.split(": ", 1)[1] for mistake in mistakes(write(text))] == [
        "name: is missing; it has no default",
        "seed: must be at least 0, not -1",
    ]


def test_a_broken_grid_and_a_broken_override_hide_nothing(write):
    messages = mistakes(write(), "distill.T=[]", "nonsense", "replicates=0", "student.widht=3", "train.lr=0")
    assert len(messages) == 5
    huge = mistakes(
        write(name="x.yaml"), "name=a/b", f"distill.T={list(range(1, 2000))}", f"student.width={list(range(1, 999))}"
    )
    assert any("over the limit" in mistake for mistake in huge)


def test_yaml_numbers_are_those_of_yaml_1_2(spec):
    assert spec("train.lr=1e-3").cases[0].student_train.lr == 0.001
    assert spec("train.epochs=3.0").cases[0].student_train.epochs == 3


# A tree of scalars, lists, mappings and grids.
TREES = st.recursive(
    st.integers(0, 9),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
        st.lists(inner, min_size=1, max_size=3).map(lambda items: {"grid_search": items}),
    ),
    max_leaves=8,
)


def locate(value) -> YamlNode:
    match value:
        case dict():
            return YamlNode({k: locate(v) for k, v in value.items()}, "f:1")
        case list():
            return YamlNode([locate(v) for v in value], "f:1")
    return YamlNode(value, "f:1")


def count_values(node: YamlNode) -> int:
    return 1 + sum(count_values(child) for _, child in node.children())


@given(TREES)
def test_expanding_gives_what_measuring_says_and_leaves_no_grid(tree):
    node = locate(tree)
    size = grid.measure_grid(node)
    if size.variants > 2000:
        return
    variants = list(grid.expand_grid(node))
    assert len(variants) == size.variants
    assert sum(map(count_values, variants)) == size.values
    assert not any(grid.has_grid(variant) for variant in variants)
    if not grid.has_grid(node):
        assert variants[0].to_plain() == tree


@given(TREES)
def test_reading_keeps_values(tree):
    import json

    assert read_yaml_text(json.dumps(tree), "f").to_plain() == tree
