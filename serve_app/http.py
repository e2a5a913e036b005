"""The native routes over a pipeline: asking, streaming, batches, how the server fares, and the page.

It knows HTTP and the pipeline's two calls; neither processes nor a model.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import asdict
from inspect import isawaitable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from arr_coc.engine.config import EngineConfig
from arr_coc.errors import InvalidRequest
from arr_coc.types import Report
from serve_app.admission import Turn
from serve_app.body import FORM, JSON, BodyReader
from serve_app.connection import Answer, WorkRoute
from serve_app.envelope import Envelope, RequestObserver, record_of
from serve_app.errors import describe
from serve_app.health import StatusWatch
from serve_app.limits import HttpLimits
from serve_app.pipeline import Pipeline
from serve_app.playground.assets import read_assets
from serve_app.replies import Reply, reply_to
from serve_app.schemas import QuestionLimits, read_question
from serve_app.sse import EventStream

RenderMetrics = Callable[[], bytes | Awaitable[bytes]]

_ENDPOINTS = {
    "/vqa": "vqa",
    "/stream_generate": "stream_generate",
    "/batch_predict": "batch_predict",
}
_PROBES = frozenset({"/live", "/health", "/metrics"})
_log = logging.getLogger(__name__)


def create_app(
    pipeline: Pipeline,
    limits: HttpLimits,
    engine: EngineConfig,
    *,
    observer: RequestObserver,
    render_metrics: RenderMetrics,
    versions: Mapping[str, str],
) -> Starlette:
    """The whole HTTP application. Its lifespan watches the engine's status; ``render_metrics``
    gives Prometheus text, at once or awaited; ``versions`` are told by /health."""
    watch = StatusWatch(pipeline.status, refresh_s=limits.status_refresh_s, stall_s=engine.stall_s)
    routes = _Routes(
        pipeline,
        watch,
        QuestionLimits(engine.max_new_tokens_limit, limits.max_query_chars),
        limits.max_batch,
        observer,
    )
    reader = BodyReader(limits)
    page = read_assets()
    quiet = _PROBES.union(asset.path for asset in page)

    def admit() -> Turn:
        if not pipeline.draining:
            watch.require_loaded()
        return pipeline.admit()

    def work(path: str, answer: Answer, *media_types: str) -> Route:
        return Route(path, WorkRoute(answer, admit, reader, media_types), methods=["POST"])

    app = Starlette(
        routes=[
            work("/vqa", routes.vqa, JSON, FORM),
            work("/stream_generate", routes.stream_generate, JSON, FORM),
            work("/batch_predict", routes.batch_predict, JSON),
            Route("/live", _live),
            Route("/health", _health(pipeline, watch, versions)),
            Route("/metrics", _metrics(render_metrics)),
            *(asset.route for asset in page),
        ],
        middleware=[
            Middleware(Envelope, limits=limits, observer=observer, endpoints=_ENDPOINTS, probes=quiet)
        ],
        exception_handlers={HTTPException: _no_such_route},
        lifespan=_watching(watch),
    )
    app.router.redirect_slashes = False
    return app


class _Routes:
    """The three ways to ask."""

    def __init__(
        self,
        pipeline: Pipeline,
        watch: StatusWatch,
        question_limits: QuestionLimits,
        max_batch: int,
        observer: RequestObserver,
    ) -> None:
        self._pipeline = pipeline
        self._watch = watch
        self._question_limits = question_limits
        self._max_batch = max_batch
        self._observer = observer

    async def vqa(self, request: Request, turn: Turn, fields: object) -> Response:
        record = record_of(request.scope)
        reply = await self._answer(turn, fields, record.request_id)
        record.route = str(reply["route"])
        return JSONResponse(reply)

    async def stream_generate(self, request: Request, turn: Turn, fields: object) -> Response:
        record = record_of(request.scope)
        asked = read_question(fields, self._question_limits)
        ask = asked.ask(record.request_id, turn.remaining_s())

        def closing(report: Report) -> dict[str, Any]:
            record.route = report.route
            return self._reply(report, ask.request_id).fields(
                explain=asked.question.explain, with_answer=False
            )

        events = self._pipeline.stream(turn, ask, asked.image)
        first = await anext(events)  # what fails until here still gets its proper status
        return EventStream(first, events, closing)

    async def batch_predict(self, request: Request, turn: Turn, fields: object) -> Response:
        if not isinstance(fields, list) or not 1 <= len(fields) <= self._max_batch:
            raise InvalidRequest(
                f"the body must be a list of 1 to {self._max_batch} requests", code="invalid_batch"
            )
        request_id = record_of(request.scope).request_id
        async with asyncio.TaskGroup() as group:
            items = [
                group.create_task(self._batch_item(index, turn, item, f"{request_id}-{index}"))
                for index, item in enumerate(fields)
            ]
        return JSONResponse([item.result() for item in items])

    async def _batch_item(self, index: int, turn: Turn, fields: object, request_id: str) -> dict[str, Any]:
        outcome, began_s = "cancelled", turn.left_s()
        place: AbstractContextManager[Turn]
        try:
            place = nullcontext(turn) if index == 0 else turn.another()
            with place:
                reply = await self._answer(turn, fields, request_id)
            outcome = "ok"
            return reply
        except Exception as error:
            told = describe(error)
            outcome = told.outcome
            if told.code == "internal_error":
                _log.error("unforeseen error in request %s", request_id, exc_info=error)
            return dict(told.payload)
        finally:
            self._observer.finished("batch_item", outcome, began_s - turn.left_s())

    async def _answer(self, turn: Turn, fields: object, request_id: str) -> dict[str, Any]:
        asked = read_question(fields, self._question_limits)
        ask = asked.ask(request_id, turn.remaining_s())
        report = await self._pipeline.answer(turn, ask, asked.image)
        return self._reply(report, request_id).fields(explain=asked.question.explain)

    def _reply(self, report: Report, request_id: str) -> Reply:
        status = self._watch.status
        return reply_to(report, model=status.model if status else "", request_id=request_id)


async def _live(request: Request) -> Response:
    return JSONResponse({"status": "alive"})


def _health(
    pipeline: Pipeline, watch: StatusWatch, versions: Mapping[str, str]
) -> Callable[[Request], Awaitable[Response]]:
    async def health(request: Request) -> Response:
        status = watch.status
        reason = "the server is shutting down" if pipeline.draining else watch.trouble()
        if reason is not None or status is None:
            return JSONResponse(
                {"status": "unavailable", "reason": reason}, status_code=503, headers={"retry-after": "1"}
            )
        return JSONResponse(
            {
                "status": "ok",
                "model": status.model,
                "device": status.device,
                "dtype": status.dtype,
                "running": status.running,
                "waiting": status.waiting,
                "slots": status.slots,
                "visual_tokens": asdict(status.visual_tokens) if status.visual_tokens else None,
                "versions": dict(versions),
            }
        )

    return health


def _metrics(render: RenderMetrics) -> Callable[[Request], Awaitable[Response]]:
    async def metrics(request: Request) -> Response:
        text = render()
        if isawaitable(text):
            text = await text
        return Response(text, headers={"content-type": "text/plain; version=0.0.4; charset=utf-8"})

    return metrics


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


def _watching(watch: StatusWatch) -> Callable[[Starlette], Any]:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        looking = asyncio.create_task(watch.run())
        try:
            yield
        finally:
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking

    return lifespan
