"""The result of training one network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from kdtune.plan.network import Network
from kdtune.train.logits import Logits


@dataclass
class TrainedNetwork:
    """The result of training one network.

    Attributes
    ----------
    network, row : the network and its row of the table.
    logits : the logits of a teacher on all splits; None for students.
    weights : the weights by the name of the parameter, as in the state of the module; None if they are not kept, or
        there are none.
    """

    network: Network
    row: dict[str, Any]
    logits: Logits | None = None
    weights: dict[str, Tensor] | None = None
