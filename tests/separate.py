"""Training one network at a time, by torch's own layers and autograd: what stacks are compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from kdtune.data.splits import Data
from kdtune.plan.identity import make_seed_sequence
from kdtune.plan.network import Network, Pack
from kdtune.stacked.architectures import build_module
from kdtune.stacked.dropout_masks import DropoutMasks
from kdtune.train import train_pack as train
from kdtune.train.batches import Members

DIGITS = ("dataset={kind: digits}", "student.width=7", "train.batch_size=64")


def taught(name: str, examples: int = 400, classes: int = 3) -> np.ndarray:
    """Logits of a teacher that was never trained, on the small sweep's training part unless its size is given."""
    return np.random.default_rng(int(name, 16)).normal(0, 3, (examples, classes)).astype(np.float32)


def untrained(one: Pack, dtype: torch.dtype = torch.float64) -> tuple[Callable[[str], Any], Callable[[str], nn.Module]]:
    """What gives logits, and what gives networks, of the teachers of a pack."""
    data = one.networks[0].data.settings
    teachers = {n.teacher.id: n.teacher for n in one.networks if n.teacher}

    def net(name: str) -> nn.Module:
        own = teachers[name]
        return build_module(own.shape, own.input_shape, data.n_classes, own.weights_seed, dtype).eval()

    return lambda name: taught(name, data.n_train, data.n_classes), net


def members_of(one: Pack) -> Members:
    """What the networks of a pack learn from."""
    return train.load_members(one, *untrained(one))


class Masked(nn.Module):
    """Dropout with given masks, so that a reference drops the units that the stack drops."""

    mask: torch.Tensor
    shape: torch.Size

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.shape = x.shape[1:]
        return x * self.mask.T.reshape(x.shape) if hasattr(self, "mask") else x


def separately(
    network: Network, data: Data, logits: np.ndarray | None, teacher: nn.Module | None, steps: int
) -> dict[str, torch.Tensor]:
    """The same network by torch's own layers, autograd and an ordinary optimizer, in float64."""
    settings = network.train
    net = build_module(network.shape, network.input_shape, data.n_classes, network.weights_seed, torch.float64)
    for name, layer in list(net.named_children()):
        if isinstance(layer, nn.Dropout):
            setattr(net, name, Masked(layer.p))
    for label, value in ((network.distill and network.distill.bias_start) or {}).items():
        net.logit.bias.data[label] = value
    net(torch.zeros(1, data.x_train.shape[1], dtype=torch.float64))
    dropouts = [layer for layer in net if isinstance(layer, Masked)]
    decay = settings.weight_decay or 0.0
    optimizer: torch.optim.Optimizer
    match settings.optimizer:
        case "adam":
            optimizer = torch.optim.Adam(net.parameters(), settings.lr, eps=1e-7, weight_decay=decay)
        case "adamw":
            optimizer = torch.optim.AdamW(net.parameters(), settings.lr, eps=1e-7, weight_decay=decay)
        case "sgd":
            optimizer = torch.optim.SGD(net.parameters(), settings.lr, settings.momentum, weight_decay=decay)
    rates = [(layer.rate, layer.shape.numel()) for layer in dropouts]
    masks = DropoutMasks([network.id], rates, torch.float64) if dropouts else None
    taken = 0
    for epoch in range(settings.epochs):
        order = np.random.default_rng([network.order_seed, epoch]).permutation(len(data.y_train))
        x_train = jittered(network, data.x_train, epoch)
        if masks:
            masks.start(epoch)
        for begin in range(0, len(order), settings.batch_size):
            picked = order[begin : begin + settings.batch_size]
            if masks:
                for layer, mask in zip(dropouts, masks.draw(len(picked)), strict=True):
                    layer.mask = mask[0].clone()
            x = torch.from_numpy(x_train[picked]).double()
            z = net(x)
            loss = nn.functional.cross_entropy(z, torch.from_numpy(data.y_train[picked]))
            if network.distill:
                T, w = network.distill.T, network.distill.hard_weight
                v = teacher(x).detach() if teacher else torch.from_numpy(logits[picked]).double()
                soft = nn.functional.cross_entropy(z / T, torch.softmax(v / T, dim=1))
                loss = (T**2 if network.distill.scale_T2 else 1) * soft + w * loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if most := getattr(network.shape, "max_norm", None):
                for name, weight in net.named_parameters():
                    if name.startswith("hidden") and name.endswith("weight"):
                        norm = weight.data.norm(dim=1, keepdim=True)
                        weight.data = torch.where(norm > most, weight.data * most / norm, weight.data)
            taken += 1
            if taken == steps:
                return net.state_dict()
    raise AssertionError("too few steps")


def jittered(network: Network, x: np.ndarray, epoch: int) -> np.ndarray:
    """Each image cut out of one with a border of zeros, where its own draw says."""
    most = network.data.settings.jitter
    if not most:
        return x
    _, height, width = network.data.settings.image
    key = make_seed_sequence("jitter", network.data.id, network.draw, epoch)
    drawn = np.random.default_rng(key).integers(0, (2 * most + 1) ** 2, len(x))
    wide = np.pad(x.reshape(-1, height, width), ((0, 0), (most, most), (most, most)))
    cut = [
        image[down : down + height, right : right + width]
        for image, (down, right) in zip(wide, (divmod(one, 2 * most + 1) for one in drawn), strict=True)
    ]
    return np.stack(cut).reshape(len(x), -1)
