"""Stages for a browser to talk to: real texture and relevance, and a model that repeats the question.

Its attention rests on one place of every picture, so that what the page draws is known.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

import numpy as np

from arr_coc.answers import Delta, Report, Usage
from arr_coc.decoding import PictureLimits
from arr_coc.model.source import resolve
from arr_coc.profile import ModelProfile
from arr_coc.relevance import Relevance
from arr_coc.texture import TextureEncoder
from arr_coc.types import Ask, Floats, Grid, TexturedPicture
from tests.serve_app.fakes import FakeGeneration, report

PLACE = (0.26, 0.24)  # y and x in shares of the picture: on the first sample's black cross
REACH = 0.06
TIMINGS_MS = {
    "queue": 1.6, "probe": 18.2, "relevance": 3.1, "prefill": 14.9, "first_token": 37.8, "decode": 9.3, "total": 47.1,
}  # fmt: skip


class RealTexture:
    """The texture stage of the demo model, in process."""

    def __init__(self) -> None:
        self.asks: list[Ask] = []
        self.images: list[bytes] = []
        self._encoder = TextureEncoder(_PROFILE, PictureLimits())

    async def prepare(self, ask: Ask, image: bytes) -> TexturedPicture:
        self.asks.append(ask)
        self.images.append(image)
        return self._encoder.encode(image, ask.visual_token_budget)


@dataclass
class PointingGeneration(FakeGeneration):
    """Repeats the question word by word, and reports as a model that looked at ``PLACE``."""

    async def stream(self, ask: Ask, picture: TexturedPicture) -> AsyncGenerator[Delta | Report, None]:
        async with aclosing(super().stream(ask, picture)) as events:
            async for event in events:
                yield event if isinstance(event, Delta) else _looked(event, picture)


_PROFILE = ModelProfile.load(resolve("demo"))
_RELEVANCE = Relevance(_PROFILE)


def _looked(told: Report, picture: TexturedPicture) -> Report:
    zoomed = picture.route == "zoom"
    allocation = _RELEVANCE.allocate(picture, _attention(picture.grid)) if zoomed else None
    patches = sum(patch.tokens for patch in allocation.patches) if allocation else 0
    spent = picture.grid.tokens + patches
    return replace(
        report(told.text),
        usage=Usage(spent + 12, told.usage.completion_tokens, spent),
        route=picture.route,
        width=picture.width,
        height=picture.height,
        native_tokens=picture.native_tokens,
        grid=picture.grid,
        allocation=allocation,
        timings_ms={"texture": picture.texture_ms, **TIMINGS_MS},
    )


def _attention(grid: Grid) -> Floats:
    y, x = (np.arange(grid.rows) + 0.5) / grid.rows, (np.arange(grid.cols) + 0.5) / grid.cols
    away = (y[:, None] - PLACE[0]) ** 2 + (x[None, :] - PLACE[1]) ** 2
    return np.exp(-away / (2 * REACH**2)).astype(np.float32)
