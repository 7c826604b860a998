"""The training step of `benchmarks.step`, by kdtune and by its peers.

Each function sets a pack up and returns another that trains it for some steps and says how many.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

FEATURES, CLASSES, BATCH, EXAMPLES, STEPS = 100, 10, 100, 40_000, 20
LR, EPS = 1e-3, 1e-7


def sizes(kind: str, width: int) -> list[int]:
    return [FEATURES, *([100] * 3 if kind == "teacher" else [width] * 2), CLASSES]


def wait_for(device: str) -> None:
    """Wait until a GPU has done all operations that were launched."""
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


def rate(kind: str) -> float:
    return 0.0 if kind == "student" else 0.2


def batches(kind: str, pack: int) -> tuple[Any, Any]:
    """x (steps, pack or 1, batch, features) and logits, or labels one-hot, (steps, pack or 1, batch, classes)."""
    random = np.random.default_rng(0)
    own = pack if kind == "teacher" else 1
    x = random.standard_normal((STEPS, own, BATCH, FEATURES), np.float32)
    v = random.standard_normal((STEPS, own, BATCH, CLASSES), np.float32) * 4
    return x, np.eye(CLASSES, dtype=np.float32)[v.argmax(-1)] if kind == "teacher" else v


def peak(kind: str, width: int, pack: int, threads: int, device: str) -> Callable[[], int]:
    """One sgemm of large square matrices: a call counts as its floating-point operations."""
    import torch

    torch.set_num_threads(threads)
    size = 8192 if device == "cuda" else 1024
    a, b, c = (torch.randn(size, size, device=device) for _ in range(3))

    def run() -> int:
        torch.mm(a, b, out=c)
        wait_for(device)
        return 2 * size**3

    return run


def students(kind: str, width: int, pack: int) -> Any:
    """Members of a pack on made-up data: students of one cell, or teachers with data of their own.

    ``kind`` is "student", "teacher", "dropout student" (with ReLU) or "module" (with GELU, by the user's code).
    """
    from kdtune.data.splits import Data
    from kdtune.plan.network import DataDraw, Network
    from kdtune.settings import Distill, MakeClassification, TeacherMLP, Train
    from kdtune.train.members import Members

    random = np.random.default_rng(0)
    x = random.standard_normal((EXAMPLES, FEATURES), np.float32)
    v = random.standard_normal((EXAMPLES, CLASSES), np.float32) * 4
    y = v.argmax(1)
    settings, train = MakeClassification(kind="make_classification"), Train()
    shape = _shape(kind, width)

    def network(i: int) -> Network:
        draw = DataDraw("data" + str(i) * (kind == "teacher"), settings, 0, 0, 0)
        if kind == "teacher":
            return Network(str(i), "teacher", draw, shape, train, 0, i, i)
        teacher = Network("teacher", "teacher", draw, TeacherMLP(), train, 0, 0, 0)
        return Network(str(i), "distilled_student", draw, shape, train, 0, 0, 0, Distill(T=1 + i / 4), teacher)

    data = Data(x, y, x, y, x, y, CLASSES)
    return Members([network(i) for i in range(pack)], [data] * pack, [None if kind == "teacher" else v] * pack)


def _shape(kind: str, width: int) -> Any:
    from kdtune.settings import ModuleShape, StudentMLP, TeacherMLP
    from kdtune.stacked.probe import probe_module

    if kind == "module":
        shape = ModuleShape(kind="python", factory="benchmarks.contenders:gelu_student", args={"width": width})
        facts = probe_module(gelu_student, shape.args, (FEATURES,), CLASSES)
        shape.add_facts((FEATURES,), CLASSES, facts, path="")  # Nothing is stored.
        return shape
    return TeacherMLP() if kind == "teacher" else StudentMLP(width=width, dropout=rate(kind))


def gelu_student(inputs: tuple[int, ...], n_classes: int, width: int) -> Any:
    """A module as a user writes it."""
    from torch import nn

    hidden = [nn.Linear(inputs[0], width), nn.GELU(), nn.Dropout(0.2), nn.Linear(width, width), nn.GELU()]
    return nn.Sequential(*hidden, nn.Dropout(0.2), nn.Linear(width, n_classes))


def dropout_perceptrons(kind: str, width: int, pack: int, threads: int, device: str) -> Callable[[], int]:
    """Students with dropout and ReLU, whose step is written out."""
    return kdtune("dropout student", width, pack, threads, device)


def modules(kind: str, width: int, pack: int, threads: int, device: str) -> Callable[[], int]:
    """Students that the user's code builds."""
    return kdtune("module", width, pack, threads, device)


def modules_alone(kind: str, width: int, pack: int, threads: int, device: str) -> Callable[[], float]:
    """The same, each by itself."""
    return eager("module", width, pack, threads, device)


def kdtune(kind: str, width: int, pack: int, threads: int, device: str) -> Callable[[], int]:
    import torch

    from kdtune.train.fit import Trainer
    from kdtune.train.members import split_into_stacks

    torch.set_flush_denormal(True)  # before threads are started, which inherit it
    torch.set_num_threads(threads)
    stacks = split_into_stacks(students(kind, width, pack), threads, device)
    trainers = [Trainer(stack, device, torch.float32) for stack in stacks]
    if device == "cuda":
        return _replay_graphs(trainers[0])
    order = [itertools.cycle(list(trainer.batches.draw_chunks(0))[:-1]) for trainer in trainers]
    for trainer in trainers:
        trainer.start_epoch(0)

    def run() -> int:
        for trainer, chunks in zip(trainers, order, strict=True):
            taken = 0
            while taken < STEPS:
                example_indices = next(chunks)
                steps = min(example_indices.shape[1] // BATCH, STEPS - taken)
                trainer.train_chunk(example_indices[:, : steps * BATCH])
                taken += steps
        return STEPS

    return run


def _replay_graphs(trainer: Any) -> Callable[[], int]:
    """On a GPU a pack is one stack, and each call trains one chunk of steps as a CUDA graph."""
    from kdtune.train.cuda_graphs import capture_chunks

    trainer.start_epoch(0)
    chunks = list(trainer.batches.draw_chunks(0))
    chunk = itertools.cycle(chunk for chunk in chunks if chunk.shape == chunks[0].shape)
    train_chunk = capture_chunks(trainer.train_chunk)
    train_chunk(chunks[0])  # the first run is not captured

    def run() -> int:
        train_chunk(next(chunk))
        wait_for("cuda")
        return trainer.batches.count_steps(chunks[0])

    return run


def eager(kind: str, width: int, pack: int, threads: int, device: str) -> Callable[[], int]:
    """Each network by itself, as anyone writes it: nn.Sequential, autograd, default Adam."""
    import torch
    from torch import nn
    from torch.nn.functional import cross_entropy

    torch.set_num_threads(threads)
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(sizes(kind, width)):
        layers += [nn.Linear(a, b), nn.ReLU(), *([nn.Dropout(rate(kind))] if rate(kind) else [])]
    net = nn.Sequential(*layers[: -2 - bool(rate(kind))], layers[-2 - bool(rate(kind))])
    if kind == "module":
        net = gelu_student((FEATURES,), CLASSES, width)
    net.to(device)
    optimizer = torch.optim.Adam(net.parameters(), lr=LR, eps=EPS)
    x, v = (torch.from_numpy(part[:, 0]).to(device) for part in batches(kind, 1))
    T = 1.0 if kind == "teacher" else 4.0

    def run() -> int:
        for xs, vs in zip(x, v, strict=True):
            targets = vs if kind == "teacher" else torch.softmax(vs / T, dim=1)
            loss = T**2 * cross_entropy(net(xs) / T, targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        wait_for(device)
        return STEPS

    return _one_for_all(run, pack)


def vmap(kind: str, width: int, pack: int, threads: int, device: str) -> Callable[[], int]:
    """torch.func: vmap of grad over stacked parameters, one fused Adam."""
    import torch
    from torch.func import grad, vmap
    from torch.nn.functional import cross_entropy, dropout, linear

    torch.set_num_threads(threads)
    shapes = list(itertools.pairwise(sizes(kind, width)))
    parameters = [
        (torch.randn(pack, b, a, device=device) * a**-0.5, torch.zeros(pack, b, device=device)) for a, b in shapes
    ]
    flat = [p.requires_grad_() for pair in parameters for p in pair]
    optimizer = torch.optim.Adam(flat, lr=LR, eps=EPS, fused=True)
    Ts = (torch.ones(pack) if kind == "teacher" else 1 + torch.arange(pack) / 4).to(device)

    def loss(parameters: Any, x: Any, v: Any, T: Any) -> Any:
        for i, (w, b) in enumerate(parameters):
            x = linear(x, w, b)
            if i < len(parameters) - 1:
                x = dropout(torch.relu(x), rate(kind)) if rate(kind) else torch.relu(x)
        targets = v if kind == "teacher" else torch.softmax(v / T, dim=1)
        return T**2 * cross_entropy(x / T, targets)

    own = 0 if kind == "teacher" else None
    gradient = vmap(grad(loss), in_dims=(0, own, own, 0), randomness="different")
    x, v = (torch.from_numpy(part).to(device) for part in batches(kind, pack))

    def run() -> int:
        for xs, vs in zip(x, v, strict=True):
            xs, vs = (xs, vs) if kind == "teacher" else (xs[0], vs[0])
            found = gradient([tuple(p.detach() for p in pair) for pair in parameters], xs, vs, Ts)
            for p, g in zip(flat, (g for pair in found for g in pair), strict=True):
                p.grad = g
            optimizer.step()
        wait_for(device)
        return STEPS

    return run


def jax(kind: str, width: int, pack: int, threads: int, device: str) -> Callable[[], int]:
    """vmap of grad, Adam written out, lax.scan over the steps, all compiled."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_default_matmul_precision", "float32")  # as PyTorch's; else TF32 on a GPU
    random = np.random.default_rng(0)
    shapes = list(itertools.pairwise(sizes(kind, width)))
    parameters = [
        (jnp.asarray(random.standard_normal((pack, a, b)) * a**-0.5, jnp.float32), jnp.zeros((pack, b)))
        for a, b in shapes
    ]
    Ts = jnp.ones(pack) if kind == "teacher" else 1 + jnp.arange(pack) / 4

    def loss(parameters: Any, x: Any, v: Any, T: Any, key: Any) -> Any:
        for i, (w, b) in enumerate(parameters):
            x = x @ w + b
            if i < len(parameters) - 1:
                x = jax.nn.relu(x)
                if rate(kind):
                    key, own = jax.random.split(key)
                    x = x * jax.random.bernoulli(own, 1 - rate(kind), x.shape) / (1 - rate(kind))
        targets = v if kind == "teacher" else jax.nn.softmax(v / T)
        return -(T**2) * (targets * jax.nn.log_softmax(x / T)).sum(axis=-1).mean()

    own = 0 if kind == "teacher" else None
    gradient = jax.vmap(jax.grad(loss), in_axes=(0, own, own, 0, 0))

    def step(carry: Any, batch: Any) -> Any:
        p, m, s, n, key = carry
        x, v = batch if kind == "teacher" else (batch[0][0], batch[1][0])
        key, *keys = jax.random.split(key, pack + 1)
        g = gradient(p, x, v, Ts, jnp.stack(keys))
        n = n + 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        s = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, s, g)
        p = jax.tree.map(lambda p, m, s: p - LR * (m / (1 - 0.9**n)) / (jnp.sqrt(s / (1 - 0.999**n)) + EPS), p, m, s)
        return (p, m, s, n, key), None

    scan = jax.jit(lambda carry, x, v: jax.lax.scan(step, carry, (x, v))[0])
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    state = [(parameters, zeros, zeros, jnp.float32(0), jax.random.key(0))]
    x, v = (jnp.asarray(part) for part in batches(kind, pack))

    def run() -> int:
        state[0] = jax.block_until_ready(scan(state[0], x, v))
        return STEPS

    return run


def keras(kind: str, width: int, pack: int, threads: int, device: str) -> Callable[[], int]:
    """Each network by itself: Keras on JAX, compiled, train_on_batch."""
    import keras

    net = keras.Sequential([keras.Input((FEATURES,))])
    for units in sizes(kind, width)[1:-1]:
        net.add(keras.layers.Dense(units, activation="relu"))
        if rate(kind):
            net.add(keras.layers.Dropout(rate(kind)))
    net.add(keras.layers.Dense(CLASSES))
    net.compile(keras.optimizers.Adam(LR, epsilon=EPS), keras.losses.CategoricalCrossentropy(from_logits=True))
    x, v = batches(kind, 1)
    soft = np.exp(v / 4) / np.exp(v / 4).sum(axis=-1, keepdims=True)
    x, soft = x.reshape(-1, FEATURES), soft.reshape(-1, CLASSES)

    def run() -> int:
        net.fit(x, soft, batch_size=BATCH, epochs=1, verbose=0, shuffle=False)
        return STEPS

    return _one_for_all(run, pack)


def _one_for_all(run: Callable[[], int], pack: int) -> Callable[[], float]:
    """Networks that train one after the other: the time of one stands for each of the pack."""

    def steps() -> float:
        return run() / pack

    return steps
