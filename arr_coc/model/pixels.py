"""Pixels as vision towers take them, with the arithmetic of transformers' own image processors."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from arr_coc.types import Pixels


class Normaliser:
    """Scales and normalises the pixels of pictures, bit for bit as the processors over Pillow do."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], device: torch.device) -> None:
        self._mean, self._std = (
            torch.tensor(each, dtype=torch.float32, device=device)[:, None, None] for each in (mean, std)
        )
        grey = torch.arange(256, dtype=torch.uint8, device=device).expand(1, len(mean), 256).permute(2, 0, 1)
        self._levels: NDArray[np.float32] = self._computed(grey)[..., 0].cpu().numpy()

    def __call__(self, picture: Pixels) -> torch.Tensor:
        """uint8 [height, width, 3] to float32 [3, height, width]."""
        if self._mean.device.type == "cpu":
            return self._looked_up(picture)
        return self._computed(torch.tensor(picture).to(self._mean.device))

    def _computed(self, pixels: torch.Tensor) -> torch.Tensor:
        values = (pixels.permute(2, 0, 1).to(torch.float64) * (1 / 255)).to(torch.float32)
        return (values - self._mean) / self._std

    def _looked_up(self, picture: Pixels) -> torch.Tensor:
        """The same numbers, of which there are 256 a channel: five times as fast on a CPU."""
        values = np.empty((picture.shape[2], *picture.shape[:2]), np.float32)
        for channel, levels in enumerate(self._levels):
            np.take(
                levels, picture[..., channel], out=values[channel], mode="clip"
            )  # no level is out of range
        return torch.from_numpy(values)
