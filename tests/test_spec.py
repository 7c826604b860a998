"""Sweep files: what they may say, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdtune.errors import SweepFileError
from kdtune.spec import grid
from kdtune.spec.spec import load_spec
from kdtune.spec.yaml_tree import YamlNode, read_yaml_text


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
    assert (case.teacher.sizes, case.teacher.dropout) == ([100, 100, 100], 0.2)
    assert (case.student.sizes, case.student.dropout) == ([50, 50], 0)
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
    assert {tuple(c.student.sizes) for c in cases} == {(5, 5), (4, 2), (4, 3)}
    assert {tuple(c.teacher.sizes) for c in cases} == {(9,), (8,), (7, 7)}


def test_own_train_blocks_override(spec):
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
    from ruamel.yaml import YAML

    from kdtune.plan.plan import enumerate_networks

    first = spec("student={grid_search: [{width: 5}, {depth: 3}]}", "replicates={student: 2}")
    path = tmp_path / "again.yaml"
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump(first.source, file)
    assert [n.id for n in enumerate_networks(load_spec(path))] == [n.id for n in enumerate_networks(first)]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("train.epohs=3", "train.epohs: is no setting here; did you mean 'epochs'?"),
        ("distil.T=3", "distil: is no setting here; did you mean 'distill'?"),
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
        ("distill.T=0", "distill.T: must be greater than 0, not 0"),
        ("distill.T=-3", "distill.T: must be greater than 0, not -3"),
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
        ("teacher.kind=transformer", "teacher.kind: unknown kind 'transformer'; must be one of mlp, cnn"),
        ("dataset.kind=mnist", "dataset.kind: unknown kind 'mnist'; must be one of make_classification, digits"),
        ("dataset.p_informative=0", "dataset.p_informative: must be greater than 0"),
        ("dataset.p_informative=1.1", "dataset.p_informative: must be at most 1"),
        ("dataset.p_informative=0.08", "too few for 3 clusters; at least 2 are needed"),
        ("dataset.test_size=1.0", "dataset.test_size: must be a fraction between 0 and 1"),
        ("dataset.test_size=500", "dataset.test_size: test_size 500 takes all 500 examples"),
        ("replicates=0", "replicates: must be a whole number of at least 1"),
        ("replicates={data: 2, student: 3}", "replicates: 1, 2 and 3 do not divide one another"),
        ("replicates=[1, 2]", "replicates: cannot be swept"),
        ("name=../up", "name: must be a plain file name"),
        ("name=.hidden", "name: must be a plain file name"),
        ("name=teachers", "name: 'teachers' is taken"),
        ("teacher=5", "teacher: must be a block of settings, not 5"),
        ("resources.cpus_per_worker=0", "resources.cpus_per_worker: must be at least 1"),
        ("train=[1]", "train: must be a block of settings"),
        ("distill.T={grid_serach: [2, 4]}", "distill.T: 'grid_serach' is no grid; did you mean 'grid_search'?"),
        ("distill.T={grid_search: [{grid_search: [1, 2]}, 2]}", "distill.T: 2 stands twice in the grid"),
        ("distill.T=1e200", "distill.T: must be at most 1e+06"),
        ("dataset.kind={}", "dataset.kind"),
        ("dataset.n_features=1e12", "dataset.n_features: must be at most 1e+06"),
        ("dataset={kind: digits, digits: 3}", "dataset.digits: is no setting here"),
        ("seed=123456789012345678901234567890", "seed: must be less than"),
        ("teacher.train={batch_size: 401}", "teacher.train.batch_size: 401 is more than the 400 training examples"),
        ("student.train=5", "student.train: must be a block of settings"),
        ("nonsense", "must be PATH=VALUE"),
        ("name.x.y=3", "leads nowhere"),
    ],
)
def test_one_mistake_one_message(write, override, expected):
    found = mistakes(write(), override)
    assert len(found) == 1, found
    assert expected in found[0]
    assert found[0].startswith(("--set", str(write())))


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
        "1: name: must be a plain file name of letters, digits, '.', '_', '+' and '-', not the text 'a/b'",
        "2: datset: is no setting here; did you mean 'dataset'?",
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
        ("name: x\nname: y\n", "twice"),
        ("name: !!python/object/apply:os.system ['false']\n", "has the YAML tag"),
        ("name: !thing x\n", "has the YAML tag"),
        (BOMB, "values (aliases counted)"),
        ("a: &a [*a]\n", "nested"),
        ("seed: !!bool x\n", "1: 'x' is no bool"),
        ("seed: " + "[" * 400 + "]" * 400, "nested more than 50 deep"),
        ("name: x\n---\nname: y\n", "is not YAML"),
        ("base: &b {a: 1}\nc: {<<: *b}\n", "merge key"),
        ("? [1, 2]\n: 3\n", "key that is a collection"),
        ("name: x\tb\x07\n", "is not YAML"),
        ("a: " + "[" * 3000, "nested too deeply"),
    ],
)
def test_text_that_is_no_sweep(write, text, expected):
    assert expected in "\n".join(mistakes(write(text)))


def test_files_that_are_no_files(tmp_path):
    assert "does not exist" in mistakes(tmp_path / "none.yaml")[0]
    assert "is a directory" in mistakes(tmp_path)[0]
    (tmp_path / "latin.yaml").write_bytes("name: caf\xe9".encode("latin-1"))
    assert "is not UTF-8" in mistakes(tmp_path / "latin.yaml")[0]


def test_a_grid_that_is_too_large_is_refused_before_it_is_expanded(write):
    found = mistakes(write(), f"distill.T={[i + 1 for i in range(5000)]}", "replicates=50000")
    assert "1,000,000,000 students or more, over the limit of 100,000" in found[0]


def test_a_broken_grid_and_a_broken_override_hide_nothing(write):
    found = mistakes(write(), "distill.T=[]", "nonsense", "replicates=0", "student.widht=3", "train.lr=0")
    assert len(found) == 5
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


@given(TREES)
def test_expanding_gives_as_many_variants_as_size_says_and_leaves_no_grid(tree):
    node = locate(tree)
    if grid.count_variants(node) > 2000:
        return
    variants = list(grid.expand_grid(node))
    assert len(variants) == grid.count_variants(node)
    assert not any(grid.has_grid(variant) for variant in variants)
    if not grid.has_grid(node):
        assert variants[0].to_plain() == tree


@given(TREES)
def test_reading_keeps_values(tree):
    import json

    assert read_yaml_text(json.dumps(tree), "f").to_plain() == tree
