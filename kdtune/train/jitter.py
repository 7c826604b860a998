"""Random shifts of training images, drawn anew in each epoch (Hinton, Vinyals and Dean 2015, section 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from kdtune.plan.identity import make_seed_sequence
from kdtune.plan.network import Network
from kdtune.settings.data import Image


def make_shift_tables(image: Image, jitter: int) -> tuple[Tensor, Tensor]:
    """Compute the source of each pixel of a shifted image, for each of the (2 jitter + 1)^2 shifts.

    Returns
    -------
    Two tensors of (shifts, features): the index of the source pixel in the unshifted image, and 1 if it lies inside
    that image or 0 if it lies outside.
    """
    depth, height, width = image
    pixels = np.arange(depth * height * width).reshape(image)
    padded_pixels = np.pad(pixels, ((0, 0), (jitter, jitter), (jitter, jitter)), constant_values=-1)
    offsets = range(2 * jitter + 1)
    shifted_pixels = [
        padded_pixels[:, down : down + height, right : right + width].ravel() for down in offsets for right in offsets
    ]
    source_pixels = np.stack(shifted_pixels)
    is_inside = (source_pixels >= 0).astype(np.float32)
    return torch.from_numpy(source_pixels.clip(0)), torch.from_numpy(is_inside)


class Jitter:
    """One random shift for each training image and epoch, with seeds from the data draw and the replicate.

    Parameters
    ----------
    networks : One network of each source, see ``members.Sources``.
    image : (channels, height, width).
    jitter : The largest shift, in pixels.
    device : ``"cpu"`` or ``"cuda"``.
    """

    def __init__(self, networks: Sequence[Network], image: Image, jitter: int, device: str) -> None:
        self.keys = [("jitter", network.data.id, network.draw) for network in networks]
        self.n_shifts = (2 * jitter + 1) ** 2
        self.device = device
        source_pixels, is_inside = make_shift_tables(image, jitter)
        self.source_pixels = source_pixels.to(device)
        self.is_inside = is_inside.to(device)
        self.shift_of_example = torch.empty(0, dtype=torch.long)  # (sources, examples) after ``draw``

    @classmethod
    def from_networks(cls, networks: Sequence[Network], device: str) -> Jitter | None:
        """Return the jitter that the networks' data ask for, or None if they ask for none."""
        data = networks[0].data.settings
        if not data.jitter or not data.image:
            return None
        return cls(networks, data.image, data.jitter, device)

    def draw(self, epoch: int, n_examples: int) -> None:
        """Draw the shifts of an epoch, one for each training example of each source."""
        shifts = [
            np.random.default_rng(make_seed_sequence(*key, epoch)).integers(0, self.n_shifts, n_examples)
            for key in self.keys
        ]
        self.shift_of_example = torch.from_numpy(np.stack(shifts)).to(self.device)

    def shift(self, x: Tensor, example_indices: Tensor) -> None:
        """Shift images in place, each by the shift that ``draw`` drew for it.

        Parameters
        ----------
        x : (sources, examples, columns), of which the first columns are the features.
        example_indices : (sources, examples), indices of these examples in the training part of each source.
        """
        shifts = self.shift_of_example.gather(1, example_indices)  # (sources, examples)
        n_features = self.source_pixels.shape[1]
        shifted_images = x[..., :n_features].gather(2, self.source_pixels[shifts])
        x[..., :n_features] = shifted_images * self.is_inside[shifts].to(x.dtype)
