"""The sweep files that ship with kdtune, and where a file named on the command line is found."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from kdtune.errors import RequestError
from kdtune.settings import RESERVED, Head
from kdtune.text import nearest

_HERE = Path(__file__).parents[1]
# Installed, the sweeps lie inside the package; in a checkout they lie beside it.
FOLDER = _HERE / "sweeps" if (_HERE / "sweeps").is_dir() else _HERE.parent / "sweeps"


def list_bundled_sweeps() -> dict[str, str]:
    """Name and first comment line of every packaged sweep."""
    return {path.name: _first_line(path) for path in sorted(FOLDER.glob("*.yaml"))}


def find_sweep_file(name: str) -> tuple[Path, bool]:
    """The file, and whether it is a packaged one. A local file goes before a packaged one.

    Raises
    ------
    RequestError
        If there is neither.
    """
    local = Path(name)
    try:
        there = local.exists()
    except OSError as error:
        raise RequestError(f"{name}: {error.strerror}") from None
    if there:
        return local, False
    known = list_bundled_sweeps()
    for candidate in (name, f"{name}.yaml"):
        if candidate in known:
            return FOLDER / candidate, True
    raise RequestError(f"{name}: there is no such file, and no packaged sweep of that name; {nearest(name, known)}")


def _first_line(path: Path) -> str:
    return path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")


TEMPLATE = """\
# A starting point: change what you need, delete what you do not.
#
#   kdtune plan {file}     # what it would train, how long that takes
#   kdtune sweep {file}    # train it; run it again to go on where it stopped
#
# Any value may be a grid: {{grid_search: [a, b, c]}}. The sweep is the product of all grids.
name: "{name}"               # the folder under results/

# How often data, teacher and student are redrawn. Three or more give spread; one gives none.
# replicates: {{data: 1, teacher: 1, student: 5}} redraws the students only.
replicates: 3

dataset:
  kind: make_classification    # or: digits; or {{kind: torchvision, name: MNIST}}, FashionMNIST, KMNIST, EMNIST
  n_samples: 10000             # training and test; the validation split is generated in addition
  n_features: 40
  n_classes: 10
  class_sep: {{grid_search: [0.5, 1.0]}}       # how far apart the classes lie
  p_informative: 0.5           # share of the features that say something
  flip_y: 0.01                 # share of wrong labels
  test_size: 0.2               # a fraction or a number of examples
  # val_size: 0.2              # T is chosen on it; nothing is trained on it

# transfer: {{omit: [3]}}        # or {{keep: [7, 8]}}: students are trained on these classes only

teacher:
  kind: mlp                    # of images also: {{kind: cnn, channels: [32, 64], pool: 2, dropout: 0.25}}
  hidden: [100, 100, 100]
  dropout: 0.2
  # train: {{epochs: 30}}        # overrides train, for the teacher only
  # init_std: 0.01             # normal initial weights instead of Glorot-uniform ones
  # max_norm: 15               # of a unit's incoming weights

student:
  kind: mlp
  depth: 2
  width: {{grid_search: [10, 40]}}

distill:
  T: {{grid_search: [1, 2, 4, 8, 16]}}
  hard_weight: 0.0             # weight of the labels' own loss beside the soft targets
  # scale_T2: true             # the factor T^2 of the paper
  # bias_start: {{3: 3.5}}       # where output biases start, by class
  # bias_shift: [3]            # classes whose learned biases are shifted by what is best on the validation split

train:
  epochs: 20
  batch_size: 100
  optimizer: adam              # or: adamw, sgd
  lr: 0.001
  # eval_every: 1              # records losses and errors every so many epochs: learning curves

# resources: {{cpus_per_worker: 1, gpus_per_worker: 0}}
"""


def make_starting_file(path: Path) -> str:
    """A commented sweep file for a new sweep called after its file.

    Raises
    ------
    RequestError
        If a sweep cannot be called that.
    """
    try:
        Head(name=path.stem)
    except ValidationError:
        raise RequestError(f"{path}: a sweep is called after its file; use letters, digits and '._+-'") from None
    if path.stem in RESERVED:
        raise RequestError(f"{path}: {path.stem!r} is taken by the shared teachers; choose another")
    return TEMPLATE.format(name=path.stem, file=path)
