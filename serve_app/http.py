"""The HTTP application over a pipeline: which paths there are, and who answers on them.

It knows neither processes nor a model, nor what is asked on any path.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

from opentelemetry.trace import Tracer
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from arr_coc.engine.config import EngineConfig
from arr_coc.errors import InvalidRequest
from arr_coc.fairness import Pool
from arr_coc.status import EngineStatus
from serve_app.access.gate import Gate
from serve_app.access.keys import Keyring
from serve_app.admission import Turn
from serve_app.body import FORM, JSON, BodyReader
from serve_app.connection import Admit, Answer, WorkRoute
from serve_app.embedding import Embedding
from serve_app.envelope import Envelope
from serve_app.errors import describe
from serve_app.health import StatusWatch
from serve_app.labelling import LabellingRoute
from serve_app.limits import HttpLimits
from serve_app.native import BATCH_ITEM, NativeRoutes
from serve_app.openai.embeddings import EmbeddingRoutes
from serve_app.openai.question import ChatLimits
from serve_app.openai.routes import OpenAIRoutes
from serve_app.openapi.document import openapi_endpoint
from serve_app.pipeline import Pipeline
from serve_app.playground.assets import read_assets
from serve_app.probes import RenderMetrics, probe_routes, takes_requests
from serve_app.record import OTHER, RequestObserver, record_of
from serve_app.schemas import QuestionLimits

_ENDPOINTS = {
    "/vqa": "vqa",
    "/stream_generate": "stream_generate",
    "/batch_predict": "batch_predict",
    "/v1/chat/completions": "chat_completions",
    "/v1/embeddings": "embeddings",
    "/predict": "predict",
}
ENDPOINTS = (*_ENDPOINTS.values(), BATCH_ITEM, OTHER)  # all that metrics tell apart
_PROBES = frozenset({"/live", "/health", "/metrics"})


def create_app(
    pipeline: Pipeline,
    limits: HttpLimits,
    engine: EngineConfig,
    *,
    observer: RequestObserver,
    tracer: Tracer,
    render_metrics: RenderMetrics,
    versions: Mapping[str, str],
    embedding: Embedding | None = None,
    generates: bool = True,
    memory: Pool | None = None,
    keys: Keyring | None = None,
    cors_origins: Collection[str] = (),
    looks_first: bool = False,
) -> Starlette:
    """The whole HTTP application. Its lifespan watches the engine's status; ``render_metrics``
    gives Prometheus text, at once or awaited; ``versions`` are told by /health. Bodies count in
    ``memory``, in bytes; one of ``keys`` is asked for where there are any; pages of ``cors_origins``
    may ask too. Nothing embeds without an ``embedding``; where nothing
    ``generates`` the engine's status is that one's. With ``looks_first`` it has started when it has
    looked for an engine, not before: where it takes another's place, engines are there, and its first
    requests must not be refused."""
    if embedding is None or generates:
        watch = _watch(pipeline.status, limits, engine.stall_s, "generation")
    else:
        watch = _watch(pipeline.status, limits, embedding.limits.stall_s, "embedding")
    question_limits = QuestionLimits(engine.max_new_tokens_limit, limits.max_query_chars)
    native = NativeRoutes(pipeline, watch, question_limits, limits.max_batch, observer)
    chat_limits = ChatLimits(engine.max_new_tokens_limit, limits.max_query_chars, limits.max_pictures)
    embedding_watch = None
    if embedding is not None:
        embedding_watch = _watch(embedding.status, limits, embedding.limits.stall_s, "embedding")
    vectors = EmbeddingRoutes(embedding, embedding_watch)
    labelling = LabellingRoute(embedding, vectors.served_model)
    openai = OpenAIRoutes(pipeline, watch, chat_limits, vectors.served_model)
    reader = BodyReader(limits, memory or Pool(limits.max_buffered_bytes))
    page = read_assets()
    quiet = _PROBES.union(asset.path for asset in page)
    version = versions.get("arr-coc-serve", "unknown")
    locked = None if keys is None else quiet

    def admit(tenant: str, within_s: float | None) -> Turn:
        if not pipeline.draining:
            watch.require_loaded()
        return pipeline.admit(tenant, within_s)

    def work(path: str, answer: Answer, *media_types: str, admit: Admit = admit) -> Route:
        return Route(path, WorkRoute(answer, admit, reader, media_types), methods=["POST"])

    async def told() -> None:
        while True:
            observer.ready(takes_requests(pipeline, watch, embedding_watch))
            await asyncio.sleep(limits.status_refresh_s)

    app = Starlette(
        routes=[
            work("/vqa", native.vqa, JSON, FORM),
            work("/stream_generate", native.stream_generate, JSON, FORM),
            work("/batch_predict", native.batch_predict, JSON),
            work("/v1/chat/completions", openai.chat_completions, JSON),
            work("/v1/embeddings", vectors.embeddings, JSON, admit=vectors.admit),
            work("/predict", labelling.predict, JSON, FORM, admit=vectors.admit),
            Route("/v1/models", openai.models),
            Route("/v1/models/{model:path}", openai.model),
            *probe_routes(pipeline, watch, versions, render_metrics, embedding_watch),
            Route(
                "/openapi.json",
                openapi_endpoint(
                    openai.served_model, vectors.served_model, limits.max_batch, version, locked
                ),
            ),
            *(asset.route for asset in page),
        ],
        middleware=[
            *([_cors(cors_origins)] if cors_origins else []),
            Middleware(
                Envelope,
                limits=limits,
                observer=observer,
                tracer=tracer,
                endpoints=_ENDPOINTS,
                probes=quiet,
            ),
            *([Middleware(Gate, keys=keys, open_paths=quiet)] if keys else []),
        ],
        exception_handlers={HTTPException: _no_such_route},
        lifespan=_watching(
            watch, *([embedding_watch] if embedding_watch else []), looks_first=looks_first, told=told
        ),
    )
    app.router.redirect_slashes = False
    return app


def _watch(
    look: Callable[[], Awaitable[EngineStatus]], limits: HttpLimits, stall_s: float, stage: str
) -> StatusWatch:
    return StatusWatch(look, refresh_s=limits.status_refresh_s, stall_s=stall_s, stage=stage)


def _cors(origins: Collection[str]) -> Middleware:
    """Around everything, so that errors can be read too. No cookies are in use: any header may be sent."""
    return Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=("GET", "POST"),
        allow_headers=("*",),
        expose_headers=("x-request-id", "retry-after"),
    )


async def _no_such_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = "method_not_allowed" if error.status_code == 405 else "not_found"
    reply = describe(InvalidRequest("there is no such route or method here", code=code))
    record_of(request.scope).failed(reply)
    return Response(
        reply.body,
        reply.status,
        headers={**(error.headers or {}), "content-type": "application/json"},
    )


def _watching(
    *watches: StatusWatch, looks_first: bool, told: Callable[[], Coroutine[Any, Any, None]]
) -> Callable[[Starlette], Any]:
    """A lifespan in which all look and what they see is ``told``."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        if looks_first:
            await asyncio.gather(*(watch.refresh() for watch in watches))
        looking = [asyncio.create_task(each()) for each in (*(watch.run for watch in watches), told)]
        try:
            yield
        finally:
            for task in looking:
                task.cancel()
            await asyncio.gather(*looking, return_exceptions=True)

    return lifespan
