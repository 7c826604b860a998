"""The files that `kdtune init --from` writes: each plans once its paths lead somewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from ruamel.yaml import YAML
from safetensors.torch import save_file
from torch import nn

from kdtune.cli import main
from kdtune.cli.start import init
from kdtune.spec.starting_file import StartingPoint

STARTS = [start for start in get_args(StartingPoint) if start != "generated"]
N_CLASSES = 3


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, list(arguments))


def save_arrays(parts: dict[str, int], random: np.random.Generator, names: str = "xyz") -> None:
    """Write examples, labels and logits of each part under the names that the starting files have."""
    for prefix, n_examples in parts.items():
        y = np.arange(n_examples) % N_CLASSES
        arrays = {"x": random.normal(size=(n_examples, 5)), "y": y, "z": np.eye(N_CLASSES)[y] * 3}
        for name in names:
            np.save(f"{prefix}{name}.npy", arrays[name])


def make_logits(random: np.random.Generator, text: str) -> None:
    save_arrays({"train_": 200, "test_": 60}, random)


def make_sklearn(random: np.random.Generator, text: str) -> None:
    save_arrays({"": 200}, random, names="xy")


def make_modules(random: np.random.Generator, text: str) -> None:
    save_arrays({"train_": 200, "test_": 60}, random, names="xy")
    lines = text.splitlines()
    first, last = lines.index("#   from torch import nn"), next(i for i, x in enumerate(lines) if "self.layers(x)" in x)
    code = "\n".join(line[4:] for line in lines[first : last + 1])
    Path("mynets.py").write_text(f"{code}\n\n\nTeacher = Student\n", encoding="utf-8")
    # The teacher is used as it is: its weights are those of the module that the file shows, with its default width.
    layers = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, N_CLASSES))
    save_file({f"layers.{name}": weights for name, weights in layers.state_dict().items()}, "teacher.safetensors")


def make_table(random: np.random.Generator, text: str) -> None:
    frame = pd.DataFrame({"age": random.normal(size=200), "town": random.choice(["A", "B"], 200)})
    frame.assign(label=np.arange(200) % N_CLASSES).to_csv("table.csv", index=False)


def make_images(random: np.random.Generator, text: str) -> None:
    for part, n_images in (("train", 60), ("test", 4)):
        for name in ("cat", "dog"):
            folder = Path("photos", part, name)
            folder.mkdir(parents=True)
            for number in range(n_images):
                Image.fromarray(random.integers(0, 256, (40, 36, 3), dtype=np.uint8)).save(folder / f"{number}.png")


MAKERS = {
    "logits": make_logits,
    "sklearn": make_sklearn,
    "modules": make_modules,
    "table": make_table,
    "images": make_images,
}


def test_the_command_offers_every_starting_file() -> None:
    option = next(parameter for parameter in init.params if parameter.name == "start")
    assert list(option.type.choices) == STARTS  # type: ignore[attr-defined]


@pytest.mark.parametrize("start", STARTS)
def test_a_starting_file_plans_once_its_paths_lead_somewhere(
    start: StartingPoint, call: Callable[..., Result], random: np.random.Generator
) -> None:
    written = call("init", "mine.yaml", "--from", start)
    assert written.exit_code == 0
    assert "fill in its paths" in written.output
    text = Path("mine.yaml").read_text(encoding="utf-8")
    assert "$" not in text.partition("\n")[2]  # The first line is for editors.
    empty = call("plan", "mine.yaml")
    assert empty.exit_code == 2
    assert "does not exist" in empty.output
    MAKERS[start](random, text)
    result = call("plan", "mine.yaml", "--workers", "0", "--set", "train.epochs=1")
    assert result.exit_code == 0, result.output
    assert "to train" in result.output


@pytest.mark.parametrize("start", STARTS)
def test_the_lines_of_a_starting_file_fit_a_screen(start: StartingPoint, call: Callable[..., Result]) -> None:
    call("init", "mine.yaml", "--from", start)
    lines = Path("mine.yaml").read_text(encoding="utf-8").splitlines()
    assert max(map(len, lines)) <= 121
    assert YAML(typ="safe").load("\n".join(lines))["name"] == "mine"


def test_a_starting_point_that_is_unknown_is_refused(call: Callable[..., Result]) -> None:
    result = call("init", "mine.yaml", "--from", "nothing")
    assert result.exit_code == 2
    assert not Path("mine.yaml").exists()
