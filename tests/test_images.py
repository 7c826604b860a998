"""Image sets in files: where they are looked for, what is in them, what messages say about wrong ones."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import datasets

from kdtune.data.load import load_data
from kdtune.data.splits import select_classes
from kdtune.errors import SweepFileError
from kdtune.files import images
from kdtune.plan.enumerate_networks import enumerate_networks
from kdtune.plan.identity import make_seed_sequence
from kdtune.plan.network import make_data_draw
from kdtune.spec.load import load_spec
from kdtune.train.jitter import Jitter, make_shift_tables
from kdtune.train.rows import make_row
from tests.idx import write_digits, write_idx

MNIST = {"kind": "torchvision", "name": "MNIST"}


@pytest.fixture(scope="session")
def mnist() -> Path:
    """The root of the real MNIST."""
    here = Path(__file__).parents[1].parent / "shared" / "data"
    for root in (os.environ.get("KDTUNE_DATA"), here):
        if root and all(path.is_file() for path in images.list_image_files("MNIST", None, Path(root))):
            return Path(root)
    pytest.skip("MNIST is not there: KDTUNE_DATA names no root that has MNIST/raw, and nor is it in ../shared/data")


@pytest.fixture
def small_root(tmp_path, monkeypatch):
    """A root with a small MNIST; nothing is downloaded."""
    monkeypatch.setattr(images, "_download_with_torchvision", _no_network)
    monkeypatch.delenv(images.ROOT_VARIABLE, raising=False)
    return write_digits(tmp_path / "data")


def _no_network(*_):
    raise OSError("no network here")


def settings_of(write, data_root=None, **dataset):
    spec = load_spec(write(dataset={**MNIST, **dataset}), data_root=data_root)
    return spec.cases[0].dataset


def mistake(write, data_root=None, **blocks):
    with pytest.raises(SweepFileError) as caught:
        load_spec(write(**{"dataset": MNIST, **blocks}), data_root=data_root)
    found = list(map(str, caught.value.mistakes))
    assert len(found) == 1, found
    return found[0]


def test_mnist_itself(mnist, write):
    """The sizes that everyone knows; pixels and labels are those that torchvision reads."""
    settings = settings_of(write, mnist)
    assert (settings.n_train, settings.val_size, settings.test_size) == (55_000, 5_000, 10_000)
    assert (settings.image, settings.n_features, settings.n_classes) == ((1, 28, 28), 784, 10)
    data = load_data(make_data_draw(settings, 0, 0))
    theirs = datasets.MNIST(mnist, train=False)
    assert np.array_equal(data.x_test.reshape(-1, 28, 28), theirs.data.numpy().astype(np.float32) / np.float32(255))
    assert np.array_equal(data.y_test, theirs.targets.numpy())
    share = np.bincount(data.y_val) / 5_000 - np.bincount(data.y_train) / 55_000
    assert abs(share).max() < 2e-4, "not stratified"


def test_splits_scaling_and_draws(small_root, write):
    settings = settings_of(write, small_root)
    assert (settings.val_size, settings.n_train, settings.test_size) == (120, 1080, 597)
    data, again, other = (load_data.__wrapped__(make_data_draw(settings, draw, 0)) for draw in (0, 0, 1))
    assert data.x_train.min() == 0
    assert 0.9 < data.x_train.max() <= 1
    assert data.x_train.dtype == np.float32
    assert np.array_equal(data.x_val, again.x_val)
    assert not np.array_equal(data.x_val, other.x_val)
    assert np.array_equal(data.x_test, other.x_test), "given data keep their test set"
    rows = np.concatenate([data.x_train, data.x_val])
    given = images.read_images(images.list_image_files("MNIST", None, small_root)[0]).reshape(1200, -1) / np.float32(
        255
    )
    assert sorted(map(bytes, rows)) == sorted(map(bytes, given.astype(np.float32)))


@pytest.mark.parametrize(
    ("name", "split", "first", "classes"),
    [
        ("FashionMNIST", None, 0, 10),
        ("KMNIST", None, 0, 10),
        ("EMNIST", "letters", 1, 27),
        ("EMNIST", "balanced", 0, 47),
    ],
)
def test_other_sets_of_that_form(tmp_path, write, name, split, first, classes):
    write_digits(tmp_path, name, split, first=first)
    settings = settings_of(write, tmp_path, name=name, **({"split": split} if split else {}))
    assert settings.n_classes == classes
    data = load_data.__wrapped__(make_data_draw(settings, 0, 0))
    assert set(data.y_test) == set(range(first, 10 + first))


class TestWhereTheyAre:
    def test_the_flag_goes_before_the_file_before_the_environment(self, tmp_path, write, monkeypatch):
        roots = {
            who: write_digits(tmp_path / who, n_train=n) for who, n in (("flag", 1200), ("file", 1100), ("env", 1000))
        }
        monkeypatch.setenv(images.ROOT_VARIABLE, str(roots["env"]))
        assert settings_of(write).test_size == 797
        assert settings_of(write, root=str(roots["file"])).test_size == 697
        assert settings_of(write, roots["flag"], root=str(roots["file"])).test_size == 597

    def test_what_is_missing_is_named_and_nothing_is_made(self, tmp_path, write, monkeypatch):
        monkeypatch.setattr(images, "_download_with_torchvision", _no_network)
        root = tmp_path / "nowhere"
        message = mistake(write, dataset={**MNIST, "root": str(root)})
        assert "small.yaml:" in message
        assert "dataset.root" in message
        assert "no network here" in message
        names = ", ".join(path.name for path in images.list_image_files("MNIST", None, root))
        assert f"put {names}, unpacked, into {root}/MNIST/raw" in message
        assert not root.exists()

    @pytest.mark.parametrize(("name", "split"), [("MNIST", None), ("EMNIST", "letters")])
    def test_without_download_a_message_says_which_files_and_how_to_get_them(self, tmp_path, write, name, split):
        root = tmp_path / "nowhere"
        dataset = {"kind": "torchvision", "name": name, "root": str(root)} | ({"split": split} if split else {})
        with pytest.raises(SweepFileError) as caught:
            load_spec(write(dataset=dataset), allow_download=False)
        message = str(caught.value)
        assert message.startswith(f"{tmp_path}/small.yaml:")
        assert f": dataset.root: {name} is not complete in {root}" in message
        names = ", ".join(path.name for path in images.list_image_files(name, split, root))
        assert f"would download {names} by torchvision into {root}/{name}/raw" in message
        assert "give their folder as --data-root" in message
        command = message.partition('python -c "')[2].rstrip('"')
        arguments = f"{str(root)!r}, split={split!r}" if split else repr(str(root))
        assert command == f"from torchvision.datasets import {name}; {name}({arguments}, download=True)"
        assert not root.exists()

    def test_one_validation_tries_one_download_however_many_variants_need_it(self, tmp_path, write, monkeypatch):
        downloads = []

        def fail(*arguments):
            downloads.append(arguments)
            raise OSError("no network here")

        monkeypatch.setattr(images, "_download_with_torchvision", fail)
        root = str(tmp_path / "nowhere")
        message = mistake(write, dataset={**MNIST, "root": root, "val_size": {"grid_search": [10, 20, 30]}})
        assert "no network here" in message
        assert len(downloads) == 1
        assert "no network here" in mistake(write, dataset={**MNIST, "root": root})
        assert len(downloads) == 2, "the next validation tries again"

    def test_a_home_that_nobody_has(self, write):
        message = mistake(write, dataset={**MNIST, "root": "~nobody-at-all/x"})
        assert "dataset.root: ~nobody-at-all/x (from the sweep file): could not determine home" in message

    def test_what_is_missing_is_downloaded(self, tmp_path, write, monkeypatch):
        def write_instead(name, split, root):
            write_digits(root, name, split)

        monkeypatch.setattr(images, "_download_with_torchvision", write_instead)
        root = tmp_path / "new"
        assert settings_of(write, root).test_size == 597
        assert sorted(path.name for path in (root / "MNIST" / "raw").iterdir()) == sorted(
            path.name for path in images.list_image_files("MNIST", None, root)
        )

    def test_the_content_names_the_data_not_their_place(self, tmp_path, write):
        here, there = (write_digits(tmp_path / who) for who in ("here", "there"))
        other = write_digits(tmp_path / "other")
        pixels = images.list_image_files("MNIST", None, other)[0]
        torn = images.read_images(pixels).copy()
        torn[0, 0, 0] ^= 1
        write_idx(pixels, torn)
        ids = [make_data_draw(settings_of(write, root), 0, 0).id for root in (here, there, other)]
        assert ids[0] == ids[1] != ids[2]


class TestWrongFiles:
    def test_a_truncated_file(self, small_root, write):
        path = images.list_image_files("MNIST", None, small_root)[0]
        path.write_bytes(path.read_bytes()[:-7])
        assert f"{path} is torn: its header says 1200 x 8 x 8 bytes" in mistake(write, small_root)
        path.write_bytes(b"\x00\x00")
        assert "is not an IDX file" in mistake(write, small_root)

    def test_images_of_mixed_sizes(self, small_root, write):
        write_idx(images.list_image_files("MNIST", None, small_root)[2], np.zeros((597, 9, 8), np.uint8))
        assert "images of mixed sizes: train-images-idx3-ubyte of 8 x 8 and t10k-images-idx3-ubyte of 9 x 8" in mistake(
            write, small_root
        )

    def test_labels_that_do_not_fit(self, small_root, write):
        labels = images.list_image_files("MNIST", None, small_root)[3]
        write_idx(labels, np.zeros(5, np.uint8))
        assert "holds 597 images and t10k-labels-idx1-ubyte 5 labels" in mistake(write, small_root)
        write_idx(labels, np.full(597, 10, np.uint8))
        assert "has a label 10; those of MNIST are 0 to 9" in mistake(write, small_root)

    def test_a_whole_set_of_nothing(self, small_root, write):
        for path in images.list_image_files("MNIST", None, small_root):
            write_idx(path, np.zeros((0, 8, 8) if "images" in path.name else (0,), np.uint8))
        assert "holds no pixels" in mistake(write, small_root)

    @pytest.mark.parametrize(
        ("blocks", "expected"),
        [
            ({"dataset": {**MNIST, "name": "CIFAR10"}}, "dataset.name: cannot be the text 'CIFAR10'; must be MNIST"),
            ({"dataset": {**MNIST, "split": "letters"}}, "dataset.split: MNIST has no splits"),
            ({"dataset": {**MNIST, "name": "EMNIST"}}, "dataset.split: is missing: EMNIST comes in several"),
            ({"dataset": {**MNIST, "val_size": 1200}}, "dataset.val_size: 1200 takes all 1200"),
            ({"dataset": {**MNIST, "val_size": 3}}, "dataset.val_size: leaves 1197 training and 3 validation images"),
            ({"dataset": {**MNIST, "jitter": 8}}, "dataset.jitter: 8 pixels shift images of 8 x 8 out of sight"),
            ({"dataset": {**MNIST, "jitter": -1}}, "dataset.jitter: must be at least 0"),
            ({"transfer": {"omit": [10]}}, "transfer.omit: there is no class 10; the classes are 0 to 9"),
            ({"transfer": {"keep": []}}, "transfer.keep: leaves no example to train students on"),
            ({"transfer": {"omit": list(range(10))}}, "transfer.omit: leaves no example"),
            ({"transfer": {"omit": [3], "keep": [4]}}, "transfer.keep: has both omit and keep"),
            ({"transfer": {"omit": ["three"]}}, "transfer.omit.0: must be a whole number, not the text 'three'"),
            ({"transfer": {"omit": 3}}, "transfer.omit: must be a list, not 3"),
            ({"transfer": {"leave": [3]}}, "transfer.leave: is not a setting here; choose from keep, omit"),
            ({"distill": {"T": 2, "bias_start": {11: 1.0}}}, "distill.bias_start: there is no class 11"),
            ({"distill": {"T": 2, "bias_shift": [3, 12]}}, "distill.bias_shift: there is no class 12"),
            ({"distill": {"T": 2, "bias_start": {"x": 1}}}, "distill.bias_start: 'x' is not a class"),
            ({"distill": {"T": 2, "bias_start": {3: "high"}}}, "distill.bias_start.3: must be a number"),
            ({"teacher": {"kind": "cnn", "pool": [2]}}, "teacher.pool: has 1 window for 2 convolutions"),
            ({"teacher": {"kind": "cnn", "channels": []}}, "teacher.channels"),
            ({"teacher": {"kind": "cnn", "kernel": 4}}, "teacher.kernel: must be odd"),
            (
                {"teacher": {"kind": "cnn", "chanels": [3]}},
                "chanels: is not a setting here; did you mean 'channels'?",
            ),
            ({"teacher": {"kind": "cnn", "pool": 0}}, "teacher.pool: must be a whole number from 1 to 1,000,000, or"),
            ({"teacher": {"kind": 5}}, "teacher.kind: cannot be 5; must be one of mlp, cnn"),
            ({"dataset": {**MNIST, "val_size": 10**400}}, "dataset.val_size: must be a fraction between 0 and 1"),
            ({"distill": {"T": 2, "bias_start": {3: 1e39}}}, "distill.bias_start.3: must be at most 1,000,000"),
            ({"distill": {"T": 2, "bias_start": {3: 10**400}}}, "distill.bias_start.3"),
            ({"distill": {"T": 2, "bias_start": {"3": 1, "03": 2}}}, "distill.bias_start: has a class twice"),
            ({"train": {"epochs": 1, "eval_every": {"grid_search": [0, 1]}}}, "train.eval_every: cannot be swept"),
            ({"teacher": {"max_norm": 0}}, "teacher.max_norm: must be greater than 0"),
        ],
    )
    def test_one_mistake_gives_one_message(self, small_root, write, blocks, expected):
        assert expected in mistake(write, small_root, **blocks)

    def test_convolutions_need_images(self, write):
        with pytest.raises(SweepFileError) as caught:
            load_spec(write(student={"kind": "cnn"}))
        assert (
            "student.kind: cnn takes images, (channels, height, width), which these make_classification are not"
            in str(caught.value)
        )


class TestTransferSets:
    def test_two_ways_of_saying_one_are_one(self, spec):
        digits = {"kind": "digits"}

        def ids(**transfer):
            return {n.id for n in enumerate_networks(spec(dataset=digits, transfer=transfer)) if n.model != "teacher"}

        assert ids(omit=[3, 4, 5, 6, 7, 8, 9]) == ids(keep=[2, 1, 0, 1])
        assert ids(omit=[]) == ids() == ids(keep=list(range(10)))
        assert not ids(omit=[3]) & ids()

    def test_teachers_do_not_depend_on_them(self, spec):
        sweeps = [
            spec(dataset={"kind": "digits"}, transfer=transfer) for transfer in ({}, {"omit": [3]}, {"keep": [7, 8]})
        ]
        teachers = [{n.id for n in enumerate_networks(one) if n.model == "teacher"} for one in sweeps]
        assert teachers[0] == teachers[1] == teachers[2]

    def test_they_hold_these_classes_only(self, spec):
        data = load_data(make_data_draw(spec(dataset={"kind": "digits"}).cases[0].dataset, 0, 0))
        kept, places = select_classes(data, [7, 8])
        assert set(kept.y_train) == {7, 8}
        assert len(kept.y_train) == np.isin(data.y_train, [7, 8]).sum()
        assert np.array_equal(data.x_train[places], kept.x_train)
        assert kept.x_val is data.x_val
        assert kept.x_test is data.x_test
        with pytest.raises(ValueError, match="the transfer set is empty"):
            select_classes(data, [])


class TestJitter:
    def test_a_shift_moves_pixels_and_fills_with_zeros(self):
        pixels, inside = make_shift_tables((1, 4, 5), 1)
        image = torch.arange(1.0, 21).view(4, 5)
        for place, (down, right) in enumerate((d, r) for d in (-1, 0, 1) for r in (-1, 0, 1)):
            moved = (image.ravel()[pixels[place]] * inside[place]).view(4, 5)
            expected = torch.zeros(4, 5)
            for i in range(4):
                for j in range(5):
                    if 0 <= i + down < 4 and 0 <= j + right < 5:
                        expected[i, j] = image[i + down, j + right]
            assert torch.equal(moved, expected)

    def test_it_is_keyed_by_data_replicate_and_epoch(self, spec):
        jittered = spec(dataset={"kind": "digits", "jitter": 2}, replicates={"student": 2})
        students = [n for n in enumerate_networks(jittered) if n.model == "student"]
        first, second = (next(n for n in students if n.draw == draw) for draw in (0, 1))
        jitter = Jitter([first, second], (1, 8, 8), 2, "cpu")
        jitter.draw(0, 50)
        own, other = jitter.shift_of_example.clone()
        assert not torch.equal(own, other)
        assert own.min() >= 0
        assert own.max() < 25
        jitter.draw(1, 50)
        assert not torch.equal(jitter.shift_of_example[0], own)
        key = make_seed_sequence("jitter", first.data.id, first.draw, 0)
        assert np.array_equal(np.random.default_rng(key).integers(0, 25, 50), own.numpy())

    def test_without_it_rows_are_the_old_ones(self, spec):
        networks = list(enumerate_networks(spec(dataset={"kind": "digits", "jitter": 0})))
        assert all(make_row(network)["jitter"] is None for network in networks), (
            "null, as in rows from before there was any"
        )

    def test_without_it_ids_are_the_old_ones(self, spec):
        plain, none, some = (
            {n.id for n in enumerate_networks(spec(dataset={"kind": "digits", **more}))}
            for more in ({}, {"jitter": 0}, {"jitter": 1})
        )
        assert plain == none
        assert not plain & some


def test_a_root_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(
        ValueError, match=r"data \(from --data-root\) is not a folder; give the one that holds MNIST/raw"
    ):
        images.find_image_files("MNIST", None, str(tmp_path / "data"))
