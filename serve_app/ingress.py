"""The Ray ingress: the HTTP application in a replica, and what all replicas count.

Puts the parts together; knows nothing of bodies and statuses, nor of how Ray tells errors.
"""

import asyncio
import itertools
from contextlib import suppress
from functools import cached_property, partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import httpx
from ray import serve
from ray.serve.handle import DeploymentHandle
from starlette.applications import Starlette

from arr_coc.decoding import decoded_bytes
from arr_coc.fairness import Pool
from arr_coc.room import Room
from deployments.gathering import Counted, Places, counted, scrape_all
from deployments.listening import listen_on_node_address
from deployments.logs import configure_logging
from deployments.metrics import RequestMetrics
from deployments.scraping import Scraper, open_directory
from deployments.tracing import open_tracer
from serve_app.access.keys import Keyring
from serve_app.admission import Door
from serve_app.config import AppConfig
from serve_app.embedding import Embedding, EmbeddingLimits, NothingGenerates
from serve_app.handles import EmbeddingHandle, GenerationHandle, TextureHandle, everybody
from serve_app.http import ENDPOINTS, create_app
from serve_app.pipeline import GenerationStage, Pipeline, TextureStage
from serve_app.remote.fetching import Fetcher

_PACKAGES = ("arr-coc-serve", "ray", "torch", "transformers")


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
