"""Stages without a model, and well-formed requests for them."""

import asyncio
import base64
import io
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from arr_coc.answers import Delta, Report, TokenLogprob, TokenLogprobs, Usage
from arr_coc.embedding.types import Embedded, EmbeddingAsk, EmbeddingStatus, Labelled
from arr_coc.status import EngineStatus, VisualTokens
from arr_coc.types import Allocation, Ask, Balance, Box, Candidate, Grid, Patch, Scores, TexturedPicture

READY = EngineStatus(
    True, "ok", "fake", "cpu", "float32", running=0, waiting=0, slots=4, last_step_age_s=0.0,
    visual_tokens=VisualTokens(smallest_budget=64, largest_budget=1024, side=32),
)  # fmt: skip

OVERVIEW = Grid(2, 3)
PICTURE = TexturedPicture(
    width=96,
    height=64,
    route="zoom",
    budget=128,
    grid=OVERVIEW,
    view=np.zeros((64, 96, 3), np.uint8),
    channels=np.zeros((13, 2, 3), np.float32),
    lost_detail=np.zeros((2, 3), np.float32),
    source=np.zeros((64, 96, 3), np.uint8),
    native_tokens=600,
    texture_ms=1.0,
    digest=b"",
)


def patch(box: Box, grid: Grid) -> Patch:
    """A patch with easily told scores."""
    return Patch(box, grid, Scores(0.1, 0.2, 0.3, 0.4), value=0.5)


ALLOCATION = Allocation(
    patches=(patch(Box(0.4, 1.0, 32.2, 33.0), Grid(8, 8)), patch(Box(60, 30, 96.4, 64), Grid(8, 9))),
    balance=Balance(0.25, 0.25, 0.5),
    relevance=np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3),
    knowing=np.full((3, 2, 3), 0.5, np.float32),
    coupling="heads",
    budget=180,
    best_left=Candidate(Box(0.2, 40, 33, 64.2), Grid(8, 10), value=0.0123456789, limit="tokens"),
)


def logprobs(word: str, top: int | None) -> tuple[TokenLogprobs, ...]:
    """Of a word that is one token, the likeliest ``top`` of which are control tokens."""
    others = TokenLogprob("<end>", None, -2.0)
    return () if top is None else (TokenLogprobs(TokenLogprob(word, word.encode(), -0.5), (others,) * top),)


def report(text: str, allocation: Allocation | None = ALLOCATION) -> Report:
    """A whole answer to ``PICTURE``; without an allocation it took the direct route."""
    return Report(
        text=text,
        finish_reason="stop",
        usage=Usage(prompt_tokens=150, completion_tokens=len(text.split()), visual_tokens=142),
        route="zoom" if allocation else "direct",
        width=96,
        height=64,
        native_tokens=600,
        grid=OVERVIEW,
        allocation=allocation,
        timings_ms={"texture": 1.23456, "total": 20.0},
    )


async def nothing() -> None:
    """Waits for nothing."""


@dataclass
class FakeTexture:
    """Answers with ``PICTURE``; raises ``errors`` first, one a call."""

    errors: list[Exception] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)
    images: list[bytes] = field(default_factory=list)
    before: Callable[[], Awaitable[object]] = nothing

    async def prepare(self, ask: Ask, image: bytes) -> TexturedPicture:
        self.asks.append(ask)
        self.images.append(image)
        await self.before()
        if self.errors:
            raise self.errors.pop(0)
        return PICTURE


@dataclass
class FakeGeneration:
    """Repeats the question; raises ``error`` after ``words_before_error`` words of a stream."""

    asks: list[Ask] = field(default_factory=list)
    before: Callable[[], Awaitable[object]] = nothing
    error: Exception | None = None
    words_before_error: int = 0
    allocation: Allocation | None = ALLOCATION
    look: Callable[[], Awaitable[EngineStatus]] | None = None
    state: EngineStatus = READY
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    ends_early: bool = False
    expected: list[str] = field(default_factory=list)

    async def answer(self, ask: Ask, *pictures: TexturedPicture) -> Report:
        *deltas, last = [event async for event in self.stream(ask, *pictures)]
        assert isinstance(last, Report)
        told = [each for delta in deltas if isinstance(delta, Delta) for each in delta.logprobs]
        return replace(last, logprobs=tuple(told))

    async def stream(self, ask: Ask, *pictures: TexturedPicture) -> AsyncGenerator[Delta | Report, None]:
        self.asks.append(ask)
        words = ask.query.split(" ")
        try:
            for count, word in enumerate(words):
                if self.error is not None and count == self.words_before_error:
                    raise self.error
                await self.before()
                text = word if count == 0 else " " + word
                yield Delta(text, logprobs(text, ask.sampling.top_logprobs))
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled.set()
            raise
        if not self.ends_early:
            yield report(ask.query, self.allocation)

    async def expect(self, model: str) -> None:
        self.expected.append(model)

    async def status(self) -> EngineStatus:
        return self.state if self.look is None else await self.look()


VECTORS = EmbeddingStatus(
    True, "ok", "fake-clip", "cpu", "float32", running=0, waiting=0, slots=4, last_step_age_s=0.0, dimensions=4
)  # fmt: skip


@dataclass
class FakeEmbedding:
    """A vector tells the input's length and its bytes; raises ``error`` instead where there is one."""

    asks: list[EmbeddingAsk] = field(default_factory=list)
    before: Callable[[], Awaitable[object]] = nothing
    error: Exception | None = None
    state: EmbeddingStatus = VECTORS
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    async def embed(self, ask: EmbeddingAsk) -> Embedded:
        self.asks.append(ask)
        try:
            await self.before()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        if self.error is not None:
            raise self.error
        return Embedded(np.stack([vector_of(each) for each in ask.inputs]), 7, {"total": 1.23456})

    async def label(self, ask: EmbeddingAsk) -> Labelled:
        vectors = (await self.embed(ask)).vectors[1:]
        return Labelled(
            np.arange(1, 1 + len(vectors)) / sum(range(1 + len(vectors))), False, 9, {"total": 2.0}
        )

    async def status(self) -> EmbeddingStatus:
        return self.state


def vector_of(content: str | bytes) -> NDArray[np.float32]:
    """What `FakeEmbedding` gives for an input."""
    data = content.encode() if isinstance(content, str) else content
    vector = np.array([1 + len(data), sum(data) / 7, sum(data[::2]), isinstance(content, str)], np.float32)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


@dataclass
class Ledger:
    """Every outcome that was told."""

    entries: list[tuple[str, str]] = field(default_factory=list)
    codes: list[str | None] = field(default_factory=list)
    is_ready: bool | None = None

    def ready(self, ready: bool) -> None:
        self.is_ready = ready

    def finished(self, endpoint: str, outcome: str, code: str | None, seconds: float) -> None:
        assert seconds >= 0
        self.entries.append((endpoint, outcome))
        self.codes.append(code)


def png(width: int = 96, height: int = 64, mode: str = "RGB") -> bytes:
    """A small valid picture."""
    file = io.BytesIO()
    Image.new(mode, (width, height)).save(file, "PNG")
    return file.getvalue()


PNG = png()


def data_url(image: bytes = PNG, media_type: str = "image/png") -> str:
    """``image`` as a data URL."""
    return f"data:{media_type};base64,{base64.b64encode(image).decode()}"


def question(**fields: Any) -> dict[str, Any]:
    """A well-formed JSON request, with ``fields`` changed; those given as ``...`` are left out."""
    body = {"image": data_url(), "query": "what is it", **fields}
    return {name: value for name, value in body.items() if value is not ...}
