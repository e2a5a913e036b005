"""Still pictures as one frame."""

import pytest
import torch
from torch import nn

from arr_coc.model.still import StillPatchEmbed

SIDE, HIDDEN = 4, 6


class InFrames(nn.Module):
    """What the families' own embeddings do."""

    def __init__(self, bias: bool) -> None:
        super().__init__()
        kernel = (2, SIDE, SIDE)
        self.proj = nn.Conv3d(3, HIDDEN, kernel, stride=kernel, bias=bias)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        shaped = patches.view(-1, 3, 2, SIDE, SIDE).to(self.proj.weight.dtype)
        embedded: torch.Tensor = self.proj(shaped).view(-1, HIDDEN)
        return embedded


@pytest.mark.parametrize(("dtype", "near"), [(torch.float64, 1e-12), (torch.bfloat16, 0.05)])
@pytest.mark.parametrize("bias", [True, False])
def test_one_frame_is_embedded_as_two_like_it(dtype: torch.dtype, near: float, bias: bool) -> None:
    torch.manual_seed(0)
    embed = StillPatchEmbed(InFrames(bias).to(dtype))
    frame = torch.rand(5, 3, 1, SIDE, SIDE)
    twice = frame.expand(5, 3, 2, SIDE, SIDE).reshape(5, -1)
    with torch.inference_mode():
        one, two = embed(frame.reshape(5, -1)), embed(twice)
    assert one.dtype == two.dtype == dtype
    torch.testing.assert_close(one, two, atol=near, rtol=0)
