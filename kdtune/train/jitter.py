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
    """Where each pixel of a shifted image comes from, for each of the (2 jitter + 1)^2 shifts.

    Returns
    -------
    Two tensors of (shifts, features): the pixel in the unshifted image, and 1, or 0 where it would lie outside.
    """
    depth, height, width = image
    pixels = np.arange(depth * height * width).reshape(image)
    padded = np.pad(pixels, ((0, 0), (jitter, jitter), (jitter, jitter)), constant_values=-1)
    steps = range(2 * jitter + 1)
    moves = [(down, right) for down in steps for right in steps]
    found = np.stack([padded[:, down : down + height, right : right + width].ravel() for down, right in moves])
    return torch.from_numpy(found.clip(0)), torch.from_numpy((found >= 0).astype(np.float32))


class Jitter:
    """One random shift for each training image and epoch, keyed by data and replicate.

    Parameters
    ----------
    sources : a network of each draw of data and replicate.
    """

    def __init__(self, sources: Sequence[Network], image: Image, jitter: int, device: str) -> None:
        self.keys = [("jitter", network.data.id, network.draw) for network in sources]
        self.count, self.device = (2 * jitter + 1) ** 2, device
        self.pixels, self.inside = (table.to(device) for table in make_shift_tables(image, jitter))
        self.drawn = torch.empty(0, dtype=torch.long)

    @classmethod
    def of(cls, sources: Sequence[Network], device: str) -> Jitter | None:
        """None if the data are not jittered."""
        data = sources[0].data.settings
        return cls(sources, data.image, data.jitter, device) if data.jitter and data.image else None

    def start(self, epoch: int, examples: int) -> None:
        """Draw the shifts of an epoch."""
        drawn = [
            np.random.default_rng(make_seed_sequence(*key, epoch)).integers(0, self.count, examples)
            for key in self.keys
        ]
        self.drawn = torch.from_numpy(np.stack(drawn)).to(self.device)

    def shift(self, x: Tensor, rows: Tensor) -> None:
        """Shift x (sources, examples, features and more) in place; ``rows`` (sources, examples) are its examples."""
        own = self.drawn.gather(1, rows)  # (sources, examples)
        features = self.pixels.shape[1]
        x[..., :features] = x[..., :features].gather(2, self.pixels[own]) * self.inside[own].to(x.dtype)
