"""Make the sweep file with which a user starts: `kdtune init`."""

from __future__ import annotations

import shlex
from pathlib import Path

from pydantic import ValidationError

from kdtune.errors import RequestError
from kdtune.settings import SweepHeader
from kdtune.spec.messages import describe_error

TEMPLATE = """\
# A starting point: change what you need, delete what you do not.
#
#   kdtune plan {file}     # what it would train, how long that takes
#   kdtune sweep {file}    # train it; run it again to continue where it stopped
#
# Any value may be a grid: {{grid_search: [a, b, c]}}. The sweep is the product of all grids.
name: "{name}"               # the folder under results/

# How often data, teacher and student are redrawn. Three or more show how much the results vary.
# replicates: {{data: 1, teacher: 1, student: 5}} redraws the students only.
replicates: 3

dataset:
  kind: make_classification    # or: digits; or {{kind: torchvision, name: MNIST}}, FashionMNIST, KMNIST, EMNIST
  n_samples: 10000             # training and test; the validation split is generated in addition
  n_features: 40
  n_classes: 10
  class_sep: {{grid_search: [0.5, 1.0]}}       # how far apart the classes are
  p_informative: 0.5           # share of the features that are informative
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
  # max_norm: 15               # largest norm of a unit's incoming weights

student:
  kind: mlp
  depth: 2
  width: {{grid_search: [10, 40]}}

distill:
  T: {{grid_search: [1, 2, 4, 8, 16]}}
  hard_weight: 0.0             # weight of the loss on the true labels, added to that on the soft targets
  # scale_T2: true             # the factor T^2 of the paper
  # bias_start: {{3: 3.5}}       # initial values of output biases, by class
  # bias_shift: [3]            # classes whose learned biases are shifted by what is best on the validation split

train:
  epochs: 20
  batch_size: 100
  optimizer: adam              # or: adamw, sgd
  lr: 0.001
  # eval_every: 1              # record losses and errors every N epochs: learning curves

# resources: {{cpus_per_worker: 1, gpus_per_worker: 0}}
"""


def make_starting_file(path: Path) -> str:
    """Make the text of a commented sweep file for a new sweep that is named after its file.

    Raises
    ------
    RequestError
        If a sweep cannot have that name.
    """
    try:
        SweepHeader(name=path.stem)
    except ValidationError as error:
        description = describe_error(error.errors()[0], valid_names=())
        raise RequestError(f"{path}: a sweep is named after its file, and its name {description}") from None
    return TEMPLATE.format(name=path.stem, file=shlex.quote(str(path)))
