"""Estimate from the settings alone how long networks train as stacks on one core.

A training step takes a stack some calls of Python, and each of its networks the matrix products and the passes over
what it reads and writes. The three figures fit what was measured on an AMD EPYC: students of width 10 to 200 in stacks
of 40, and one alone, in batches of 100. They took 18 to 476 microseconds per network and step; 131 alone at width 50.

Packs may follow from such an estimate, and never from a measurement: equal sweeps have equal packs.
"""

from __future__ import annotations

import math

from kdtune.plan.network_types import NetworkType

SECONDS_PER_STEP = 60e-6  # of a stack, however many networks it has
MULTIPLY_ADDS_PER_SECOND = 6e10
BYTES_PER_SECOND = 7e9  # as ``training_bytes`` counts them

MAX_CALL_SHARE = 1 / 3


def estimate_seconds(network_type: NetworkType, n_networks: int) -> float:
    """Estimate the seconds that networks of one type train in one pack, in stacks that fit the cache."""
    n_stacks = math.ceil(n_networks / network_type.stack_size)
    return n_stacks * _get_seconds_per_stack(network_type) + n_networks * _get_seconds_per_network(network_type)


def estimate_stacked_seconds(network_type: NetworkType) -> float:
    """Estimate the seconds that one network trains as a member of a stack that just fits the cache."""
    return estimate_seconds(network_type, network_type.stack_size) / network_type.stack_size


def count_networks_within(network_type: NetworkType, max_seconds: float) -> float:
    """Count the networks of one type that may train in one pack, so that it takes about so many seconds at most.

    Where that leaves so few that the calls of Python, which a pack takes however small it is, were more than
    ``MAX_CALL_SHARE`` of its time, it is more, since the whole sweep would be slower. It is a multiple of the stack's
    size where so many fit, since that cuts no stack; at least 1; infinite if a network takes no time.
    """
    seconds_of_stack = estimate_seconds(network_type, network_type.stack_size)
    if seconds_of_stack == 0 or math.isinf(max_seconds):
        return math.inf
    if seconds_of_stack <= max_seconds:
        return network_type.stack_size * int(max_seconds / seconds_of_stack)
    seconds_of_calls = _get_seconds_per_stack(network_type)
    max_seconds = max(max_seconds, seconds_of_calls / MAX_CALL_SHARE)
    n_networks = int((max_seconds - seconds_of_calls) / _get_seconds_per_network(network_type))
    return min(network_type.stack_size, max(1, n_networks))


def _get_seconds_per_stack(network_type: NetworkType) -> float:
    """Return the seconds that training a stack takes beside what its networks take."""
    return network_type.steps * SECONDS_PER_STEP


def _get_seconds_per_network(network_type: NetworkType) -> float:
    """Return the seconds that each network of a stack adds to its training."""
    products = network_type.work / MULTIPLY_ADDS_PER_SECOND
    return products + network_type.steps * network_type.training_bytes / BYTES_PER_SECOND
