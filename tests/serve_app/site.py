"""The HTTP application served over fake stages, in process or on a socket."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn
from opentelemetry.trace import NoOpTracer, Tracer
from starlette.applications import Starlette

from arr_coc.engine.config import EngineConfig
from serve_app.admission import AdmissionConfig, Door
from serve_app.embedding import Embedding, EmbeddingLimits
from serve_app.http import create_app
from serve_app.limits import HttpLimits
from serve_app.pipeline import Fetch, Pipeline
from tests.serve_app.fakes import FakeEmbedding, FakeGeneration, FakeTexture, Ledger, question


@dataclass
class Site:
    """The application, what it runs on, and a client of it."""

    app: Starlette
    pipeline: Pipeline
    texture: FakeTexture
    generation: FakeGeneration
    embedding: FakeEmbedding
    ledger: Ledger
    client: httpx.AsyncClient
    port: int = 0

    async def vqa(self, **fields: Any) -> httpx.Response:
        return await self.client.post("/vqa", json=question(**fields))


def make_site(
    texture: Any = None,
    generation: Any = None,
    *,
    embedding: Any = None,
    limits: HttpLimits | None = None,
    admission: AdmissionConfig | None = None,
    metrics: Callable[[], bytes | Awaitable[bytes]] = lambda: b"up 1\n",
    tracer: Tracer | None = None,
    fetch: Fetch | None = None,
    **access: Any,
) -> Site:
    """An application over fake stages; ``texture``, ``generation`` and ``embedding`` may be any such stage.
    Nothing embeds by default."""
    texture, generation, ledger = texture or FakeTexture(), generation or FakeGeneration(), Ledger()
    door = Door(admission or AdmissionConfig(), chance=lambda: 0.5)
    pipeline = Pipeline(texture, generation, door, fetch=fetch)
    beside = Door(admission or AdmissionConfig(), chance=lambda: 0.5, beside=door)
    app = create_app(
        pipeline,
        limits or HttpLimits(status_refresh_s=0.01),
        EngineConfig(max_new_tokens_limit=1024),
        observer=ledger,
        tracer=tracer or NoOpTracer(),
        render_metrics=metrics,
        versions={"arr-coc-serve": "0"},
        embedding=embedding and Embedding(embedding, pipeline, beside, EmbeddingLimits(8, 1000, stall_s=90)),
        **access,
    )
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")
    return Site(app, pipeline, texture, generation, embedding, ledger, client)


@asynccontextmanager
async def in_process(texture: Any = None, **options: Any) -> AsyncIterator[Site]:
    """A ready site, called without a socket."""
    site = make_site(texture, **options)
    async with site.app.router.lifespan_context(site.app), site.client:
        await until_healthy(site)
        yield site


@asynccontextmanager
async def on_socket(texture: Any = None, generation: Any = None, **options: Any) -> AsyncIterator[Site]:
    """A ready site behind a real server on a loopback port."""
    site = make_site(texture, generation, **options)
    listener = socket.create_server(("127.0.0.1", 0))
    site.port = listener.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(site.app, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    site.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{site.port}", trust_env=False)
    try:
        async with site.app.router.lifespan_context(site.app), site.client:
            await until(lambda: server.started)
            await until_healthy(site)
            yield site
    finally:
        server.should_exit = True
        server.force_exit = True
        await serving


async def until(condition: Callable[[], object]) -> None:
    """Waits for ``condition`` to become true; it must, soon."""
    async with asyncio.timeout(5):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)


async def until_healthy(site: Site, status: int = 200) -> httpx.Response:
    """Waits until /health gives ``status``."""
    async with asyncio.timeout(5):
        while True:
            response = await site.client.get("/health")
            if response.status_code == status:
                return response
            await asyncio.sleep(0.005)


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
