"""How the server fares, for those who only look: ``/live``, ``/health``, ``/metrics``."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from inspect import isawaitable
from typing import Literal

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from arr_coc.embedding.types import EmbeddingStatus
from arr_coc.status import EngineStatus, ModelState
from serve_app.health import StatusWatch
from serve_app.pipeline import Pipeline

METRICS_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
RenderMetrics = Callable[[], bytes | Awaitable[bytes]]


class _Reply(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LiveReply(_Reply):
    """The process lives; whether it can answer, /health tells."""

    status: Literal["alive"]


class VisualTokensReply(_Reply):
    """The range in which a request's visual-token budget makes a difference, and a cell's side in pixels."""

    smallest_budget: int
    largest_budget: int
    side: int


class EmbeddingReply(_Reply):
    """The model that embeds is loaded and warm. ``running`` texts and pictures are in its forward,
    ``waiting`` ones wait for one; its vectors have so many ``dimensions``."""

    model: str
    device: str
    dtype: str
    running: int
    waiting: int
    dimensions: int


class LoadingReply(_Reply):
    """How far the weights of a model are on their way, to this machine or from there into memory."""

    bytes_done: int
    bytes_total: int
    seconds_left: float


class HealthReply(_Reply):
    """The server takes requests: models of its start are loaded and warm. ``loading``: one that is loaded
    when it is asked for is on its way. ``running`` sequences hold one of the ``slots``, ``waiting`` ones are
    queued for one, or for their model. ``model`` answers where none is named; ``models`` are all."""

    status: Literal["ok", "loading"]
    model: str
    models: dict[str, ModelState]
    device: str
    dtype: str
    running: int
    waiting: int
    slots: int
    visual_tokens: VisualTokensReply | None
    embedding: EmbeddingReply | None
    versions: dict[str, str]
    loading: LoadingReply | None = None


class UnavailableReply(_Reply):
    """No answer can be expected now, and why; ``phase`` of the start, and ``loading`` while the weights are
    on their way."""

    status: Literal["unavailable", "loading"]
    reason: str
    phase: str | None = None
    loading: LoadingReply | None = None


def probe_routes(
    pipeline: Pipeline,
    watch: StatusWatch,
    versions: Mapping[str, str],
    render: RenderMetrics,
    embedding: StatusWatch | None = None,
) -> list[Route]:
    """The three routes; ``render`` gives Prometheus text, at once or awaited. Health waits for the model that
    embeds too, where there is one."""

    async def live(request: Request) -> Response:
        return _json(LiveReply(status="alive"))

    async def health(request: Request) -> Response:
        reply = _health(pipeline, watch, versions, embedding)
        return _json(reply) if isinstance(reply, HealthReply) else _json(reply, 503)

    async def metrics(request: Request) -> Response:
        text = render()
        if isawaitable(text):
            text = await text
        return Response(text, headers={"content-type": METRICS_MEDIA_TYPE})

    return [Route("/live", live), Route("/health", health), Route("/metrics", metrics)]


def takes_requests(pipeline: Pipeline, watch: StatusWatch, embedding: StatusWatch | None) -> bool:
    """Whether ``/health`` says so."""
    return isinstance(_health(pipeline, watch, {}, embedding), HealthReply)


def _health(
    pipeline: Pipeline, watch: StatusWatch, versions: Mapping[str, str], embedding: StatusWatch | None
) -> HealthReply | UnavailableReply:
    status = watch.status
    reason = "the server is shutting down" if pipeline.draining else watch.trouble()
    if reason is not None or status is None:
        return _unavailable(reason or "starting", status)
    vectors = None if embedding is None else embedding.status
    if embedding is not None and (reason := embedding.trouble()) is not None:
        return _unavailable(reason, vectors)
    return HealthReply(
        status="loading" if "loading" in status.models.values() else "ok",
        model=status.model,
        models=dict(status.models) or {status.model: "loaded"},
        device=status.device,
        dtype=status.dtype,
        running=status.running,
        waiting=status.waiting,
        slots=status.slots,
        visual_tokens=_visual_tokens(status),
        embedding=_embedding(vectors),
        versions=dict(versions),
        loading=_loading(status),
    )


def _unavailable(reason: str, status: EngineStatus | None) -> UnavailableReply:
    phase = status.phase if status is not None else None
    loading = _loading(status)
    kind: Literal["unavailable", "loading"] = "unavailable" if loading is None else "loading"
    return UnavailableReply(status=kind, reason=reason, phase=phase, loading=loading)


def _loading(status: EngineStatus | None) -> LoadingReply | None:
    if status is None or status.loading is None:
        return None
    return LoadingReply(**asdict(status.loading))


def _embedding(status: EngineStatus | None) -> EmbeddingReply | None:
    if not isinstance(status, EmbeddingStatus):
        return None
    return EmbeddingReply(
        model=status.model,
        device=status.device,
        dtype=status.dtype,
        running=status.running,
        waiting=status.waiting,
        dimensions=status.dimensions,
    )


def _visual_tokens(status: EngineStatus) -> VisualTokensReply | None:
    tokens = status.visual_tokens
    return None if tokens is None else VisualTokensReply(**asdict(tokens))


def _json(reply: BaseModel, status: int = 200) -> Response:
    headers = {"retry-after": "1"} if status == 503 else None
    return JSONResponse(reply.model_dump(mode="json"), status_code=status, headers=headers)
