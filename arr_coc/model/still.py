"""Patch embedding of pictures that do not move, at half of its price."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional


class StillPatchEmbed(nn.Module):
    """A Qwen-VL vision tower's patch embedding that also takes a still picture as one frame.

    The towers embed frames in pairs, and the processors show a still picture twice. Its embedding is then
    its product with the sum of both frames' weights: half the numbers, and a matrix product in the place of
    a three-dimensional convolution. Pictures in frames are embedded as before.
    """

    weight: torch.Tensor

    def __init__(self, embed: Any) -> None:
        """``embed`` has its weights in ``proj``, a ``Conv3d`` whose strides are its kernel's sides."""
        super().__init__()
        self.in_frames = embed
        kernels = embed.proj.weight.detach()  # [hidden, 3, frames, patch, patch]
        exact = torch.promote_types(kernels.dtype, torch.float32)
        weight = kernels.sum(2, dtype=exact).flatten(1).to(kernels.dtype)
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """[patches, 3 * patch * patch], or as many numbers for each frame, to [patches, hidden]."""
        if patches.shape[-1] != self.weight.shape[-1]:
            embedded: torch.Tensor = self.in_frames(patches)
            return embedded
        return functional.linear(patches.to(self.weight.dtype), self.weight, self.in_frames.proj.bias)
