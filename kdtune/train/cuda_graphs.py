"""Chunks of steps as CUDA graphs: one launch for all operations of all steps of a chunk.

A graph replays the operations that were captured, on the memory that they were captured with; Python does not run
again. All code that a captured chunk runs must therefore meet three requirements.

- Masks keep their state (keys and the counter of steps) in device tensors and advance it on the device, so that
  every replay draws new ones (``DeviceDropoutMasks``).
- The optimizer counts its steps in a tensor and uses fused kernels; nothing reads a value back with ``.item()``
  (``make_optimizer``).
- Batches have fixed shapes and are read at fixed addresses: there is one graph for each length of chunk, and the
  indices of a chunk's examples are copied into the tensor with which its graph was captured. The training data
  stay in place.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def capture_chunks(train_chunk: Callable[[Tensor], None]) -> Callable[[Tensor], None]:
    """Return a function with the effect of ``train_chunk`` that uses CUDA graphs.

    It runs the first chunk of each length directly, captures the second and replays the graph from then on.

    Parameters
    ----------
    train_chunk : Function that takes the training steps of one chunk, given the indices of its examples,
        (sources, steps * batch), as yielded by ``Batches.draw_chunks``.
    """
    graphs: dict[int, torch.cuda.CUDAGraph] = {}
    fixed_indices: dict[int, Tensor] = {}  # the tensor that the graph of each length reads
    side_stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def run_on_side_stream(example_indices: Tensor) -> None:
        side_stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side_stream):
            train_chunk(example_indices)
        torch.cuda.current_stream().wait_stream(side_stream)

    def train_chunk_by_graph(example_indices: Tensor) -> None:
        length = example_indices.shape[1]
        if length not in fixed_indices:
            # Libraries allocate their workspaces and choose their algorithms in the first run, which is not allowed
            # during capture. torch requires that this run is on a side stream.
            fixed_indices[length] = example_indices.clone()
            run_on_side_stream(fixed_indices[length])
            return
        fixed_indices[length].copy_(example_indices)
        if length not in graphs:
            graphs[length] = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graphs[length]):  # records the operations without running them
                train_chunk(fixed_indices[length])
        graphs[length].replay()

    return train_chunk_by_graph
