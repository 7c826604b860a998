"""The memory of a replayed step: which results may share it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kdtune.stacked.recording import Operation, Value


class Arena:
    """Memory for the results of operations, which is used again when a result is no longer read.

    A step then touches as little memory as may be: what it reads is still in the cache.

    Parameters
    ----------
    operations : Operations in the order in which they run.
    outputs : Values that must stay until the next run.
    """

    def __init__(self, operations: Sequence[Operation], outputs: Sequence[Value]) -> None:
        self._index = {operation: i for i, operation in enumerate(operations)}
        self._root: dict[Value, Value] = {}  # the value in whose memory a value lies
        self._last_use: dict[Value, int] = {}  # by root: the index of the last operation that reads or writes it
        for i, operation in enumerate(operations):
            for value in operation.inputs:
                self._last_use[self._get_root(value)] = i
            for value in operation.results:
                if operation.inputs and (operation.is_view or operation.is_times_one):
                    self._root[value] = self._get_root(operation.inputs[0])
                self._last_use[self._get_root(value)] = i
        for value in outputs:
            self._last_use[self._get_root(value)] = len(operations)
        self._buffers: dict[Value, Tensor] = {}  # flat, by root

    def allocate(self, operation: Operation, is_pointwise: bool) -> Tensor:
        """Return a tensor for the one result of an operation; call it in the order of the operations.

        Parameters
        ----------
        operation : The operation.
        is_pointwise : Whether it may write over an input of the same layout.
        """
        index = self._index[operation]
        (result,) = operation.results
        example = result.tensor
        for value in operation.inputs if is_pointwise else []:
            if self._may_write_over(value, operation) and _has_layout(value.tensor, example):
                root = self._get_root(value)
                self._root[result] = root
                self._last_use[root] = max(index, self._last_use.pop(result))
                return value.tensor
        if not _is_dense(example):
            return torch.empty_strided(example.size(), example.stride(), dtype=example.dtype, device=example.device)
        buffer = self._take_free_buffer(example, index)
        self._buffers[result] = buffer
        return buffer.as_strided(example.size(), example.stride())

    def _take_free_buffer(self, example: Tensor, index: int) -> Tensor:
        """Return a flat buffer that no later operation reads, or a new one."""
        for root, buffer in self._buffers.items():
            if self._last_use[root] < index and len(buffer) == example.numel() and buffer.dtype == example.dtype:
                del self._buffers[root]
                return buffer
        return torch.empty(example.numel(), dtype=example.dtype, device=example.device)

    def _may_write_over(self, value: Value, operation: Operation) -> bool:
        """Return whether only this operation still reads the memory of its input, and through no other input."""
        root = self._get_root(value)
        inputs_there = [other for other in operation.inputs if self._get_root(other) is root]
        is_last_use = self._last_use[root] == self._index[operation]
        return root in self._buffers and value.is_fixed and is_last_use and inputs_there == [value]

    def _get_root(self, value: Value) -> Value:
        """Return the value in whose memory a value lies."""
        while value in self._root:
            value = self._root[value]
        return value


def _is_dense(example: Tensor) -> bool:
    """Return whether the values of a tensor fill its memory without gaps or overlaps."""
    expected_stride = 1
    for stride, size in sorted((s, n) for s, n in zip(example.stride(), example.shape, strict=True) if n != 1):
        if stride != expected_stride:
            return False
        expected_stride *= size
    return True


def _has_layout(tensor: Tensor, example: Tensor) -> bool:
    """Return whether a tensor has the shape, strides and type of another."""
    return (tensor.shape, tensor.stride(), tensor.dtype) == (example.shape, example.stride(), example.dtype)
