"""Training images shifted by a few pixels, anew in each epoch (Hinton, Vinyals and Dean 2015, section 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from kdtune.plan.identity import make_seed_sequence
from kdtune.plan.network import Network
from kdtune.settings.data import Image


def make_shift_tables(image: Image, jitter: int) -> tuple[Tensor, Tensor]:
    """Compute where each pixel of a shifted image comes from, for each of the (2 jitter + 1)^2 shifts.

    Returns
    -------
    Two tensors of (shifts, features): the pixel in the unshifted image, and 1, or 0 where it would lie outside.
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
    """One random shift for each training image and epoch, keyed by data and replicate.

    Parameters
    ----------
    networks : one network for each source of batches.
    image : (channels, height, width).
    jitter : the largest shift, in pixels.
    """

    def __init__(self, networks: Sequence[Network], image: Image, jitter: int, device: str) -> None:
        self.keys = [("jitter", network.data.id, network.draw) for network in networks]
        self.n_shifts, self.device = (2 * jitter + 1) ** 2, device
        self.pixels, self.inside = (table.to(device) for table in make_shift_tables(image, jitter))
        self.shift_of_example = torch.empty(0, dtype=torch.long)  # (sources, examples) after ``draw``

    @classmethod
    def from_networks(cls, networks: Sequence[Network], device: str) -> Jitter | None:
        """Return the jitter that the networks' data ask for, or None if they ask for none."""
        data = networks[0].data.settings
        if not data.jitter or not data.image:
            return None
        return cls(networks, data.image, data.jitter, device)

    def draw(self, epoch: int, n_examples: int) -> None:
        """Draw the shifts of an epoch."""
        shifts = [
            np.random.default_rng(make_seed_sequence(*key, epoch)).integers(0, self.n_shifts, n_examples)
            for key in self.keys
        ]
        self.shift_of_example = torch.from_numpy(np.stack(shifts)).to(self.device)

    def shift(self, x: Tensor, examples: Tensor) -> None:
        """Shift images in place.

        Parameters
        ----------
        x : (sources, examples, features and more).
        examples : (sources, examples), which training examples those are.
        """
        shifts = self.shift_of_example.gather(1, examples)  # (sources, examples)
        n_features = self.pixels.shape[1]
        x[..., :n_features] = x[..., :n_features].gather(2, self.pixels[shifts]) * self.inside[shifts].to(x.dtype)
