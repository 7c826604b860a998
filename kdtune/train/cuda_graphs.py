"""Chunks of steps as CUDA graphs: one launch for all operations of all steps of a chunk.

A graph replays the operations that were captured, on the memory that they were captured with; Python does not run
again. What takes part in a captured chunk must therefore fulfil the following.

- Masks keep their state (keys and the counter of steps) in device tensors and advance it on the device, so that
  every replay draws new ones (``DeviceDropoutMasks``).
- The optimizer counts its steps in a tensor and uses fused kernels; nothing reads a value back with ``.item()``
  (``make_optimizer``).
- Batches have fixed shapes and are read at fixed addresses: there is one graph for each length of chunk, and the
  examples of a chunk are copied into the tensor with which its graph was captured. The training data stay in place.
- The first chunk of a length runs uncaptured, on a side stream as torch asks: libraries allocate their workspaces
  and choose their algorithms then, which is not allowed during capture.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def capture_chunks(train_chunk: Callable[[Tensor], None]) -> Callable[[Tensor], None]:
    """Return a function that does what ``train_chunk`` does, from the second chunk of a length on by a CUDA graph.

    Parameters
    ----------
    train_chunk : takes the training steps of one chunk, given its examples, (sources, examples).
    """
    graphs: dict[int, torch.cuda.CUDAGraph] = {}
    fixed_inputs: dict[int, Tensor] = {}
    side_stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def run_on_side_stream(examples: Tensor) -> None:
        side_stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side_stream):
            train_chunk(examples)
        torch.cuda.current_stream().wait_stream(side_stream)

    def train_chunk_by_graph(examples: Tensor) -> None:
        length = examples.shape[1]
        if length not in fixed_inputs:
            fixed_inputs[length] = examples.clone()
            run_on_side_stream(fixed_inputs[length])
            return
        fixed_inputs[length].copy_(examples)
        if length not in graphs:
            graphs[length] = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graphs[length]):  # records the operations, runs none
                train_chunk(fixed_inputs[length])
        graphs[length].replay()

    return train_chunk_by_graph
