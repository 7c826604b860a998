"""What is known of a user's module before it is trained."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModuleFacts:
    """What a trial with random examples found out about a module.

    Attributes
    ----------
    n_params : its parameters.
    multiply_adds : of one forward pass of one example.
    activations : about how many values per example are kept for the backward pass.
    reason_alone : why it cannot train in a stack with others; None if it can.
    """

    n_params: int
    multiply_adds: int
    activations: int
    reason_alone: str | None
