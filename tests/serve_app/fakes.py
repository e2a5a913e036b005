"""Stages without a model, and the HTTP application served over them, in process or on a socket."""

import asyncio
import base64
import io
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
import uvicorn
from PIL import Image
from starlette.applications import Starlette

from arr_coc.engine.config import EngineConfig
from arr_coc.types import (
    Allocation,
    Ask,
    Balance,
    Box,
    Delta,
    EngineStatus,
    Grid,
    Patch,
    Report,
    Scores,
    TexturedPicture,
    Usage,
)
from serve_app.admission import AdmissionConfig, Door
from serve_app.http import create_app
from serve_app.limits import HttpLimits
from serve_app.pipeline import Pipeline

READY = EngineStatus(True, "ok", "fake", "cpu", "float32", running=0, waiting=0, slots=4, last_step_age_s=0.0)

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
)


def patch(box: Box, grid: Grid) -> Patch:
    """A patch with easily told scores."""
    return Patch(box, grid, Scores(0.1, 0.2, 0.3, 0.4), value=0.5)


ALLOCATION = Allocation(
    patches=(patch(Box(0.4, 1.0, 32.2, 33.0), Grid(8, 8)), patch(Box(60, 30, 96.4, 64), Grid(8, 9))),
    balance=Balance(0.25, 0.25, 0.5),
    relevance=np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3),
    knowing=np.full((3, 2, 3), 0.5, np.float32),
)


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
    before: Callable[[], Awaitable[None]] = nothing

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
    before: Callable[[], Awaitable[None]] = nothing
    error: Exception | None = None
    words_before_error: int = 0
    allocation: Allocation | None = ALLOCATION
    look: Callable[[], Awaitable[EngineStatus]] | None = None
    state: EngineStatus = READY
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    ends_early: bool = False

    async def answer(self, ask: Ask, picture: TexturedPicture) -> Report:
        events = [event async for event in self.stream(ask, picture)]
        last = events[-1]
        assert isinstance(last, Report)
        return last

    async def stream(self, ask: Ask, picture: TexturedPicture) -> AsyncGenerator[Delta | Report, None]:
        self.asks.append(ask)
        words = ask.query.split(" ")
        try:
            for count, word in enumerate(words):
                if self.error is not None and count == self.words_before_error:
                    raise self.error
                await self.before()
                yield Delta(word if count == 0 else " " + word)
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled.set()
            raise
        if not self.ends_early:
            yield report(ask.query, self.allocation)

    async def status(self) -> EngineStatus:
        return self.state if self.look is None else await self.look()


@dataclass
class Ledger:
    """Every outcome that was told."""

    entries: list[tuple[str, str]] = field(default_factory=list)

    def finished(self, endpoint: str, outcome: str, seconds: float) -> None:
        assert seconds >= 0
        self.entries.append((endpoint, outcome))


@dataclass
class Site:
    """The application, what it runs on, and a client of it."""

    app: Starlette
    pipeline: Pipeline
    texture: FakeTexture
    generation: FakeGeneration
    ledger: Ledger
    client: httpx.AsyncClient
    port: int = 0

    async def vqa(self, **fields: Any) -> httpx.Response:
        return await self.client.post("/vqa", json=question(**fields))


def make_site(
    texture: Any = None,
    *,
    limits: HttpLimits | None = None,
    admission: AdmissionConfig | None = None,
    metrics: Callable[[], bytes | Awaitable[bytes]] = lambda: b"up 1\n",
) -> Site:
    """An application over fake stages; ``texture`` may be any texture stage."""
    generation, ledger = FakeGeneration(), Ledger()
    texture = texture or FakeTexture()
    pipeline = Pipeline(texture, generation, Door(admission or AdmissionConfig(), chance=lambda: 0.5))
    app = create_app(
        pipeline,
        limits or HttpLimits(status_refresh_s=0.01),
        EngineConfig(max_new_tokens_limit=1024),
        observer=ledger,
        render_metrics=metrics,
        versions={"arr-coc-serve": "0"},
    )
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")
    return Site(app, pipeline, texture, generation, ledger, client)


@asynccontextmanager
async def in_process(texture: Any = None, **options: Any) -> AsyncIterator[Site]:
    """A ready site, called without a socket."""
    site = make_site(texture, **options)
    async with site.app.router.lifespan_context(site.app), site.client:
        await until_healthy(site)
        yield site


@asynccontextmanager
async def on_socket(texture: Any = None, **options: Any) -> AsyncIterator[Site]:
    """A ready site behind a real server on a loopback port."""
    site = make_site(texture, **options)
    listener = socket.create_server(("127.0.0.1", 0))
    site.port = listener.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(site.app, log_config=None, lifespan="on"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    site.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{site.port}", trust_env=False)
    try:
        async with site.client:
            while not server.started:
                await asyncio.sleep(0.005)
            await until_healthy(site)
            yield site
    finally:
        server.should_exit = True
        server.force_exit = True
        await serving


async def until_healthy(site: Site) -> None:
    """Waits for the first look at the engine."""
    async with asyncio.timeout(5):
        while (await site.client.get("/health")).status_code != 200:
            await asyncio.sleep(0.005)


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


def events_of(body: str) -> list[tuple[str, Any]]:
    """Server-sent events as (name, decoded data); ``[DONE]`` stays text."""
    events = []
    for block in body.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines())
        if lines:
            data = lines["data"]
            events.append((lines.get("event", "message"), data if data == "[DONE]" else json.loads(data)))
    return events


def assert_error(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The response is an error in the one shape; gives the error."""
    assert response.status_code == status, response.text
    assert len(response.content) <= 512
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == code, error
    return error
