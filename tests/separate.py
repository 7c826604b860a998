"""The reference that stacks are compared with: one network at a time, by torch's own layers and autograd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from kdtune.data.splits import Data
from kdtune.plan.identity import make_seed_sequence
from kdtune.plan.network import Network, Pack
from kdtune.settings import Train
from kdtune.stacked.architectures import build_module
from kdtune.stacked.dropout_masks import DropoutLayer, DropoutMasks
from kdtune.train import train_pack as train
from kdtune.train.members import Members

DIGITS = ("dataset={kind: digits}", "student.width=7", "train.batch_size=64")


def make_teacher_logits(teacher_id: str, examples: int = 400, classes: int = 3) -> np.ndarray:
    """Make logits up for a teacher, by default for the training part of the small sweep."""
    return np.random.default_rng(int(teacher_id, 16)).normal(0, 3, (examples, classes)).astype(np.float32)


def make_teachers(
    pack: Pack, dtype: torch.dtype = torch.float64
) -> tuple[Callable[[str], Any], Callable[[str], nn.Module]]:
    """Return what gives the logits and what gives the module of a pack's teachers by id, all made up."""
    settings = pack.networks[0].data.settings
    teachers = {network.teacher.id: network.teacher for network in pack.networks if network.teacher}

    def make_logits(teacher_id: str) -> np.ndarray:
        return make_teacher_logits(teacher_id, settings.n_train, settings.n_classes)

    def build_teacher(teacher_id: str) -> nn.Module:
        teacher = teachers[teacher_id]
        seed = teacher.weights_seed
        return build_module(teacher.shape, teacher.input_shape, settings.n_classes, seed, dtype).eval()

    return make_logits, build_teacher


def load_members_of(pack: Pack) -> Members:
    """Return what the networks of a pack learn from, teachers made up."""
    return train.load_members(pack, *make_teachers(pack))


class GivenMask(nn.Module):
    """Dropout by a given mask, so that the reference drops the units that the stack drops."""

    mask: torch.Tensor
    shape: torch.Size

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.shape = x.shape[1:]
        return x * self.mask.T.reshape(x.shape) if hasattr(self, "mask") else x


def train_separately(
    network: Network, data: Data, logits: np.ndarray | None, teacher: nn.Module | None, n_steps: int
) -> dict[str, torch.Tensor]:
    """Train the network by torch's own layers, autograd and an ordinary optimizer, in float64; return its state."""
    settings = network.train
    module = build_module(network.shape, network.input_shape, data.n_classes, network.weights_seed, torch.float64)
    for name, layer in list(module.named_children()):
        if isinstance(layer, nn.Dropout):
            setattr(module, name, GivenMask(layer.p))
    if network.distill and network.distill.bias_start:
        for label, value in network.distill.bias_start.items():
            module.logit.bias.data[label] = value
    module(torch.zeros(1, data.x_train.shape[1], dtype=torch.float64))  # each GivenMask notes its shape
    dropouts = [layer for layer in module if isinstance(layer, GivenMask)]
    dropout_layers = [DropoutLayer(layer.rate, layer.shape.numel()) for layer in dropouts]
    masks = DropoutMasks([network.id], dropout_layers, torch.float64) if dropouts else None
    optimizer = make_torch_optimizer(module, settings)
    step = 0
    for epoch in range(settings.epochs):
        order = np.random.default_rng([network.order_seed, epoch]).permutation(len(data.y_train))
        x_train = shift_images(network, data.x_train, epoch)
        if masks:
            masks.start_epoch(epoch)
        for start in range(0, len(order), settings.batch_size):
            indices = order[start : start + settings.batch_size]
            if masks:
                for layer, mask in zip(dropouts, masks.draw(len(indices)), strict=True):
                    layer.mask = mask[0].clone()
            x = torch.from_numpy(x_train[indices]).double()
            z = module(x)
            loss = nn.functional.cross_entropy(z, torch.from_numpy(data.y_train[indices]))
            if network.distill:
                T, w = network.distill.T, network.distill.hard_weight
                v = teacher(x).detach() if teacher else torch.from_numpy(logits[indices]).double()
                soft = nn.functional.cross_entropy(z / T, torch.softmax(v / T, dim=1))
                loss = (T**2 if network.distill.scale_T2 else 1) * soft + w * loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            constrain_hidden_norms(module, getattr(network.shape, "max_norm", None))
            step += 1
            if step == n_steps:
                return module.state_dict()
    raise AssertionError("too few steps")


def make_torch_optimizer(module: nn.Module, settings: Train) -> torch.optim.Optimizer:
    decay = settings.weight_decay or 0.0
    match settings.optimizer:
        case "adam":
            return torch.optim.Adam(module.parameters(), settings.lr, eps=1e-7, weight_decay=decay)
        case "adamw":
            return torch.optim.AdamW(module.parameters(), settings.lr, eps=1e-7, weight_decay=decay)
        case "sgd":
            return torch.optim.SGD(module.parameters(), settings.lr, settings.momentum, weight_decay=decay)


def constrain_hidden_norms(module: nn.Module, max_norm: float | None) -> None:
    if max_norm is None:
        return
    for name, weight in module.named_parameters():
        if name.startswith("hidden") and name.endswith("weight"):
            norm = weight.data.norm(dim=1, keepdim=True)
            weight.data = torch.where(norm > max_norm, weight.data * max_norm / norm, weight.data)


def shift_images(network: Network, x: np.ndarray, epoch: int) -> np.ndarray:
    """Cut each image out of itself with a border of zeros, at the offset that is drawn for it."""
    max_shift = network.data.settings.jitter
    if not max_shift:
        return x
    _, height, width = network.data.settings.image
    n_offsets = 2 * max_shift + 1  # in each direction
    key = make_seed_sequence("jitter", network.data.id, network.draw, epoch)
    offsets = np.random.default_rng(key).integers(0, n_offsets**2, len(x))
    border = (max_shift, max_shift)
    padded_images = np.pad(x.reshape(-1, height, width), ((0, 0), border, border))
    shifted_images = []
    for image, offset in zip(padded_images, offsets, strict=True):
        down, right = divmod(offset, n_offsets)
        shifted_images.append(image[down : down + height, right : right + width])
    return np.stack(shifted_images).reshape(len(x), -1)
