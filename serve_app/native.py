"""The native ways to ask: one answer, one stream, a batch.

    data: {"text": "..."}          as tokens become final
    data: {...}                    all of the reply but the answer
    data: [DONE]                   only after a complete answer

is a stream, or, where it fails on the way, ``event: error`` with an error body and no ``[DONE]``.
It knows the pipeline's two calls; neither processes nor a model.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from arr_coc.answers import Delta, Report
from arr_coc.errors import InvalidRequest
from arr_coc.types import Ask
from serve_app.admission import Turn
from serve_app.errors import ErrorReply, describe
from serve_app.health import StatusWatch
from serve_app.pipeline import Pipeline
from serve_app.record import Record, RequestObserver, record_of, tell
from serve_app.replies import Reply, reply_to
from serve_app.schemas import QuestionLimits, VisualQuestion, read_question
from serve_app.sse import EventStream, event

BATCH_ITEM = "batch_item"  # the endpoint by which one of a batch is told
_log = logging.getLogger(__name__)


class NativeRoutes:
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
        return JSONResponse(await self._answer(turn, fields, record_of(request.scope)))

    async def stream_generate(self, request: Request, turn: Turn, fields: object) -> Response:
        record = record_of(request.scope)
        asked = self._read(fields)
        ask = asked.ask(record.request_id, turn.remaining_s())

        def closing(report: Report) -> dict[str, Any]:
            record.answered(report)
            return self._reply(report, ask).fields(explain=asked.question.explain, with_answer=False)

        events = self._pipeline.stream(turn, ask, asked.image)
        first = await anext(events)  # what fails until here still gets its proper status
        return EventStream(first, events, _NativeEvents(closing))

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
        record, began_s = Record(request_id, BATCH_ITEM, tenant=turn.tenant), turn.left_s()
        place: AbstractContextManager[Turn]
        try:
            place = nullcontext(turn) if index == 0 else turn.another()
            with place:
                reply = await self._answer(turn, fields, record)
            record.ended(200)
            return reply
        except Exception as error:
            told = describe(error)
            record.failed(told)
            record.ended(told.status)
            if told.code == "internal_error":
                _log.error("unforeseen error in request %s", request_id, exc_info=error)
            return dict(told.payload)
        finally:
            tell(record, self._observer, began_s - turn.left_s())

    async def _answer(self, turn: Turn, fields: object, record: Record) -> dict[str, Any]:
        asked = self._read(fields)
        ask = asked.ask(record.request_id, turn.remaining_s())
        report = await self._pipeline.answer(turn, ask, asked.image)
        record.answered(report)
        return self._reply(report, ask).fields(explain=asked.question.explain)

    def _read(self, fields: object) -> VisualQuestion:
        asked = read_question(fields, self._question_limits)
        if asked.question.model is not None:
            self._watch.require_served(asked.question.model)
        return asked

    def _reply(self, report: Report, ask: Ask) -> Reply:
        model = ask.model or next(iter(self._watch.models), "")
        return reply_to(report, model=model, request_id=ask.request_id)


class _NativeEvents:
    """The native spelling of a stream; ``closing`` gives the reply without its answer."""

    def __init__(self, closing: Callable[[Report], dict[str, Any]]) -> None:
        self._closing = closing

    def opening(self) -> bytes:
        return b""

    def delta(self, delta: Delta) -> bytes:
        return event({"text": delta.text})

    def closing(self, report: Report) -> bytes:
        return event(self._closing(report))

    def error(self, reply: ErrorReply) -> bytes:
        return event(reply.payload, name="error")
