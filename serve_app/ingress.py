"""The Ray ingress: the HTTP application in a replica, and the stages behind their handles.

Owns the translation between Ray's calls and the stages' Protocols: a typed error that crossed
processes comes out as itself, a dead replica as StageCrashed, and a cancelled call is cancelled in
the stage. Knows nothing of bodies and statuses.
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import grpc
import httpx
from ray import serve
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.serve.exceptions import BackPressureError, RayServeException, RequestCancelledError
from ray.serve.handle import DeploymentHandle
from starlette.applications import Starlette

from arr_coc.decoding import decoded_bytes
from arr_coc.embedding.types import Embedded, EmbeddingAsk, EmbeddingStatus, Labelled
from arr_coc.errors import ArrCocError, Cancelled, EngineClosed, Overloaded
from arr_coc.fairness import Pool
from arr_coc.room import Room
from arr_coc.types import Ask, Delta, EngineStatus, Report, TexturedPicture
from deployments.gathering import Counted, Places, counted, scrape_all
from deployments.listening import listen_on_node_address
from deployments.logs import configure_logging
from deployments.metrics import RequestMetrics
from deployments.scraping import Scraper, open_directory
from deployments.tracing import open_tracer, traced
from serve_app.access.keys import Keyring
from serve_app.admission import Door
from serve_app.config import AppConfig
from serve_app.embedding import Embedding, EmbeddingLimits, NothingGenerates
from serve_app.errors import StageCrashed
from serve_app.http import ENDPOINTS, create_app
from serve_app.pipeline import GenerationStage, Pipeline, TextureStage
from serve_app.remote.fetching import Fetcher
from serve_app.replicas import combined

_ALL_S = 1.5  # for every replica to say something
_PACKAGES = ("arr-coc-serve", "ray", "torch", "transformers")


class TextureHandle:
    """The texture stage, wherever its replicas are."""

    def __init__(self, handle: "DeploymentHandle[Any]") -> None:
        self._handle = handle

    async def prepare(self, ask: Ask, image: bytes) -> TexturedPicture:
        picture: TexturedPicture = await _call(self._handle.prepare.remote(traced(ask), image))
        return picture


class GenerationHandle:
    """The generation stage, in its replica or in ``several``."""

    def __init__(self, handle: "DeploymentHandle[Any]", *, several: bool) -> None:
        self._handle = handle
        self._several = several
        self._streams = handle.options(stream=True)

    async def answer(self, ask: Ask, *pictures: TexturedPicture) -> Report:
        report: Report = await _call(self._handle.answer.remote(traced(ask), *pictures))
        return report

    async def stream(self, ask: Ask, *pictures: TexturedPicture) -> AsyncGenerator[Delta | Report, None]:
        response: Any = self._streams.stream.remote(traced(ask), *pictures)
        try:
            with translated():
                async for event in response:
                    yield event
        finally:
            response.cancel()  # nothing happens where it has ended

    async def expect(self, model: str) -> None:
        await _call(self._handle.expect.remote(model))

    async def status(self) -> EngineStatus:
        if self._several:
            return await self._status_of_all()
        status: EngineStatus = await _call(self._handle.status.remote())
        return status

    async def _status_of_all(self) -> EngineStatus:
        replies = await everybody(self._handle, "status")
        statuses = [reply for reply in replies if isinstance(reply, EngineStatus)]
        if not any(status.ready for status in statuses):
            for reply in replies:
                if isinstance(reply, TimeoutError):  # that one may be ready: nothing is known
                    raise reply
        if not statuses:
            raise EngineClosed("No engine is ready.", code="not_ready")
        return combined(statuses)


class EmbeddingHandle:
    """The embedding stage, in its replica."""

    def __init__(self, handle: "DeploymentHandle[Any]") -> None:
        self._handle = handle

    async def embed(self, ask: EmbeddingAsk) -> Embedded:
        embedded: Embedded = await _call(self._handle.embed.remote(traced(ask)))
        return embedded

    async def label(self, ask: EmbeddingAsk) -> Labelled:
        labelled: Labelled = await _call(self._handle.label.remote(traced(ask)))
        return labelled

    async def status(self) -> EmbeddingStatus:
        status: EmbeddingStatus = await _call(self._handle.status.remote())
        return status


@serve.ingress()
class Ingress:
    """One ingress replica."""

    def __init__(
        self,
        texture: "DeploymentHandle[Any] | None",
        generation: "DeploymentHandle[Any] | None",
        config: AppConfig,
        metrics_directory: str,
        keys: Keyring | None,
        embedding: "DeploymentHandle[Any] | None" = None,
    ) -> None:
        configure_logging()
        listen_on_node_address()
        self._metrics_directory = open_directory(metrics_directory)
        self._scraper = Scraper(self._metrics_directory)
        self._stages = [stage for stage in (texture, generation, embedding) if stage is not None]
        self._places = Places()
        self._config = config
        self._keys = keys
        self._memory = Pool(config.http.max_buffered_bytes)
        door = Door(config.admission)
        self._pipeline = Pipeline(
            *_stages(texture, generation, embedding, several=config.several_engines),
            door,
            Room(config.http.max_decoded_bytes),
            weigh=partial(decoded_bytes, limits=config.pictures),
            fetch=_fetcher(config, self._memory).fetch if config.access.picture_hosts else None,
            several_engines=config.several_engines,
        )

        self._embedding: Embedding | None = None
        if embedding is not None:
            self._embedding = Embedding(
                EmbeddingHandle(embedding),
                self._pipeline,
                Door(config.embedding_admission, beside=door),
                EmbeddingLimits(
                    config.embedding.max_inputs, config.http.max_query_chars, config.embedding.stall_s
                ),
            )

    def __serve_build_asgi_app__(self) -> Starlette:
        return create_app(
            self._pipeline,
            self._config.http,
            self._config.engine,
            observer=RequestMetrics(ENDPOINTS),
            tracer=open_tracer(self._config.tracing, "ingress"),
            # a millisecond, where one directory is all; a thread would wait longer for its turn
            render_metrics=self._gathered if self._config.several_engines else self._scraper.scrape,
            versions=_versions(),
            embedding=self._embedding,
            generates=self._config.generates,
            memory=self._memory,
            keys=self._keys,
            cors_origins=self._config.access.cors_origins,
            looks_first=self._config.several_engines,
        )

    async def _gathered(self) -> bytes:
        others = await self._counted_elsewhere()
        return await asyncio.to_thread(scrape_all, self._metrics_directory, others)

    async def _counted_elsewhere(self) -> list[Counted]:
        """What the nodes of all replicas have counted, those that cannot be asked as far as is known."""
        asked = [everybody(handle, "counted") for handle in (*self._stages, self._all_ingress_replicas)]
        replies = await asyncio.gather(*asked, return_exceptions=True)
        said = itertools.chain.from_iterable(reply for reply in replies if isinstance(reply, list))
        return self._places.told(reply for reply in said if isinstance(reply, Counted))

    @cached_property
    def _all_ingress_replicas(self) -> "DeploymentHandle[Any]":
        context = serve.get_replica_context()
        return serve.get_deployment_handle(context.deployment, context.app_name)

    async def counted(self) -> Counted:
        """What this replica's node has counted."""
        return await asyncio.to_thread(counted, self._metrics_directory)

    async def drain(self, timeout_s: float) -> bool:
        """Refuse new work, wait for what is in flight; whether all of it ended in time."""
        draining = [self._pipeline.drain(timeout_s)]
        if self._embedding is not None:
            draining.append(self._embedding.drain(timeout_s))
        return all(await asyncio.gather(*draining))


def _stages(
    texture: "DeploymentHandle[Any] | None",
    generation: "DeploymentHandle[Any] | None",
    embedding: "DeploymentHandle[Any] | None",
    *,
    several: bool,
) -> tuple[TextureStage, GenerationStage]:
    if texture is not None and generation is not None:
        return TextureHandle(texture), GenerationHandle(generation, several=several)
    assert embedding is not None, "something is served"
    nothing = NothingGenerates(EmbeddingHandle(embedding))
    return nothing, nothing


def _fetcher(config: AppConfig, memory: Pool) -> Fetcher:
    return Fetcher(
        config.access.picture_hosts,
        memory,
        max_bytes=config.pictures.max_bytes,
        timeout_s=config.access.fetch_timeout_s,
        tls=httpx.create_ssl_context(),
    )


def _versions() -> dict[str, str]:
    """Versions of what is installed; a checkout that was never installed has none of its own."""
    found = {}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


async def everybody(handle: "DeploymentHandle[Any]", method: str) -> list[Any]:
    """What each replica of a stage says; exceptions of those that fail, nothing where there is none.

    One that says nothing, as one does whose node has lost its network, counts as a TimeoutError and keeps
    nobody else from being heard. Raises TimeoutError where Ray does not tell in time which there are.
    """
    until = asyncio.get_running_loop().time() + _ALL_S

    async def said(replica: Any) -> Any:
        async with asyncio.timeout_at(until):
            return await replica.get_async()

    try:
        async with asyncio.timeout_at(until):  # ``results_async`` has one limit for all, and then no result
            asked = await handle.broadcast(method)._fetch_replica_results_async()
    except RayServeException:
        return []
    return await asyncio.gather(*map(said, asked), return_exceptions=True)


async def _call(response: Any) -> Any:
    """The result of one call to a stage; cancels it there when it is cancelled here."""
    try:
        with translated():
            return await response
    except asyncio.CancelledError:
        response.cancel()
        raise


@contextmanager
def translated() -> Iterator[None]:
    """Turns whatever Ray raises into this project's errors."""
    try:
        yield
    except RequestCancelledError:
        raise Cancelled("The request was cancelled.") from None
    except BackPressureError:
        raise Overloaded("Too many requests are waiting for a stage.") from None
    except RayTaskError as error:
        if isinstance(error.cause, ArrCocError):
            raise error.cause from None
        raise
    except (RayActorError, RayServeException, grpc.RpcError) as error:
        raise StageCrashed("A stage's process ended while it had the request.") from error
    except RayError as error:
        raise StageCrashed("A stage cannot be reached.") from error
