"""The memory of a recorded step: which results may share it, and which operations take none."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx

aten = torch.ops.aten


class Arena:
    """Memory for the results of operations, which is used again when a result is no longer read.

    A step then touches as little memory as may be: what it reads is still in the cache.

    Parameters
    ----------
    nodes : Operations in the order in which they run.
    outputs : Nodes whose results must stay until the next step.
    """

    def __init__(self, nodes: Sequence[fx.Node], outputs: Sequence[fx.Node]) -> None:
        self.has_writes = any(_writes(node) for node in nodes)
        self._index = {node: i for i, node in enumerate(nodes)}
        self._root: dict[fx.Node, fx.Node] = {}  # the node in whose memory a node's result lies
        self._last_use: dict[fx.Node, int] = {}  # by root: the index of the last node that reads or writes it
        for i, node in enumerate(nodes):
            for source in node.all_input_nodes:
                self._last_use[self._get_root(source)] = i
            if node.all_input_nodes and (is_view(node) or _writes(node) or is_copy_of_input(node)):
                self._root[node] = self._get_root(node.all_input_nodes[0])
            self._last_use[self._get_root(node)] = i
        for node in outputs:
            self._last_use[self._get_root(node)] = len(nodes)
        self._buffers: dict[fx.Node, Tensor] = {}  # flat, by root

    def allocate(self, node: fx.Node, content_by_input: Mapping[fx.Node, Tensor]) -> Tensor:
        """Return a tensor for the result of a node; call it in the order of the nodes.

        Parameters
        ----------
        node : An operation with one result.
        content_by_input : Inputs over which the operation may write; all of them have fixed places.
        """
        index = self._index[node]
        example = node.meta["val"]
        for source, content in content_by_input.items():
            if self._may_write_over(source, node, index) and _has_layout(content, example):
                root = self._get_root(source)
                self._root[node] = root
                self._last_use[root] = max(self._last_use[root], self._last_use.pop(node))
                return content
        if not _is_dense(example):
            return torch.empty_strided(example.size(), example.stride(), dtype=example.dtype, device=example.device)
        buffer = self._take_free_buffer(example, index)
        self._buffers[node] = buffer
        return buffer.as_strided(example.size(), example.stride())

    def _take_free_buffer(self, example: Tensor, index: int) -> Tensor:
        """Return a flat buffer that no later node reads, or a new one."""
        for root, buffer in self._buffers.items():
            if self._last_use[root] < index and len(buffer) == example.numel() and buffer.dtype == example.dtype:
                del self._buffers[root]
                return buffer
        return torch.empty(example.numel(), dtype=example.dtype, device=example.device)

    def _may_write_over(self, source: fx.Node, node: fx.Node, index: int) -> bool:
        """Return whether nothing but ``node`` still reads the memory of its input, and that input alone lies there."""
        root = self._get_root(source)
        inputs_there = [other for other in node.all_input_nodes if self._get_root(other) is root]
        return root in self._buffers and self._last_use[root] == index and inputs_there == [source]

    def _get_root(self, node: fx.Node) -> fx.Node:
        """Return the node in whose memory a node's result lies."""
        while node in self._root:
            node = self._root[node]
        return node


def find_ancestors(node: fx.Node) -> set[fx.Node]:
    """Return the node and all nodes that its result depends on."""
    ancestors: set[fx.Node] = set()
    waiting = [node]
    while waiting:
        ancestor = waiting.pop()
        if ancestor not in ancestors:
            ancestors.add(ancestor)
            waiting.extend(ancestor.all_input_nodes)
    return ancestors


def is_view(node: fx.Node) -> bool:
    """Return whether an operation returns views of its first input, and reads no values."""
    if node.target in (operator.getitem, aten._unsafe_view.default):
        return True
    if not isinstance(node.target, torch._ops.OpOverload) or node.target._schema.is_mutable:
        return False
    return any(result.alias_info is not None for result in node.target._schema.returns)


def is_copy_of_input(node: fx.Node) -> bool:
    """Return whether an operation multiplies by the number 1: vmap's rule for the bias of a layer does."""
    if node.target is not aten.mul.Scalar or isinstance(node.args[1], bool) or node.args[1] != 1:
        return False
    source: Any = node.args[0]
    return bool(source.meta["val"].dtype == node.meta["val"].dtype)


def _writes(node: fx.Node) -> bool:
    """Return whether an operation changes an input."""
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def _is_dense(example: Tensor) -> bool:
    """Return whether the values of a tensor fill its memory without gaps or overlaps."""
    expected_stride = 1
    for stride, size in sorted((s, n) for s, n in zip(example.stride(), example.shape, strict=True) if n != 1):
        if stride != expected_stride:
            return False
        expected_stride *= size
    return True


def _has_layout(content: Tensor, example: Tensor) -> bool:
    """Return whether a tensor has the shape, strides and type of another."""
    return (content.shape, content.stride(), content.dtype) == (example.shape, example.stride(), example.dtype)
