"""What is known of a user's module before it is trained."""

from __future__ import annotations

from dataclasses import dataclass

# Counted up where the trial comes to other facts about the same module: facts that are stored are then found out anew.
PROBE_VERSION = 2


@dataclass(frozen=True)
class ModuleFacts:
    """What a trial with random examples found out about a module; all fields are plain values, for JSON.

    Attributes
    ----------
    n_params : the number of parameters, each counted once, trained or not.
    multiply_adds : of one forward pass of one example: those of matrix products, convolutions and attention.
    activations : about how many values autograd keeps for each example.
    reason_alone : why such a module trains alone: a part of a sentence. None if it can be stacked.
    has_dropout : whether layers of dropout in it take kdtune's masks.
    has_fixed_weights : whether it starts from the same weights under every seed, so that its replicates start alike.
    has_convolutions : whether it has convolutions, which a CPU trains faster one network after the other.
    """

    n_params: int
    multiply_adds: int
    activations: int
    reason_alone: str | None
    has_dropout: bool
    has_convolutions: bool
    has_fixed_weights: bool = False
