"""``/v1/models`` and ``/v1/chat/completions`` over the pipeline.

It knows HTTP and the pipeline's two calls; neither processes nor a model.
"""

import time
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from arr_coc.answers import Report
from arr_coc.types import Ask
from serve_app.admission import Turn
from serve_app.health import StatusWatch, not_served
from serve_app.openai.chunks import ChunkSpelling
from serve_app.openai.completion import Model, ModelList, completion
from serve_app.openai.question import ChatLimits, ChatQuestion, read_chat
from serve_app.pipeline import Pipeline
from serve_app.record import Record, record_of
from serve_app.replies import Reply, reply_to
from serve_app.sse import EventStream


class OpenAIRoutes:
    """What OpenAI's clients call."""

    def __init__(
        self,
        pipeline: Pipeline,
        watch: StatusWatch,
        limits: ChatLimits,
        embedding_model: Callable[[], str] = str,
    ) -> None:
        """``embedding_model`` tells the name of the model that embeds, "" where there is none."""
        self._pipeline = pipeline
        self._watch = watch
        self._limits = limits
        self._embedding_model = embedding_model
        self._started = int(time.time())

    async def models(self, request: Request) -> Response:
        """The models that are served. Raises EngineClosed (``not_ready``) until those of the start are loaded."""
        models = ModelList(object="list", data=tuple(map(self._card, self._names())))
        return JSONResponse(models.model_dump(mode="json"))

    async def model(self, request: Request) -> Response:
        """The model of that name. Raises InvalidRequest (``model_not_found``) for any other."""
        name = request.path_params["model"]
        if name not in self._names():
            raise not_served()
        return JSONResponse(self._card(name).model_dump(mode="json"))

    async def chat_completions(self, request: Request, turn: Turn, fields: object) -> Response:
        """The next message of a conversation, whole or as a stream."""
        asked = read_chat(fields, self._limits)
        self._watch.require_served(asked.request.model)
        record = record_of(request.scope)
        ask = asked.ask(record.request_id, turn.remaining_s())
        with asked.named_as_sent():
            if asked.request.stream:
                return await self._stream(asked, ask, turn, record)
            report = await self._pipeline.answer(turn, ask, *asked.images)
        record.answered(report)
        reply = reply_to(report, model=asked.request.model, request_id=ask.request_id)
        logprobs = report.logprobs if asked.request.logprobs else None
        body = completion(reply, logprobs, created=int(time.time()), explain=asked.extension.explain)
        return JSONResponse(body)

    async def _stream(self, asked: ChatQuestion, ask: Ask, turn: Turn, record: Record) -> Response:
        def reply(report: Report) -> Reply:
            record.answered(report)
            return reply_to(report, model=asked.request.model, request_id=ask.request_id)

        options = asked.request.stream_options
        spelling = ChunkSpelling(
            reply,
            request_id=ask.request_id,
            model=asked.request.model,
            created=int(time.time()),
            include_usage=bool(options and options.include_usage),
            explain=asked.extension.explain,
        )
        events = self._pipeline.stream(turn, ask, *asked.images)
        first = await anext(events)  # what fails until here still gets its proper status
        return EventStream(first, events, spelling)

    def served_model(self) -> str:
        """The name of the default model; "" while nothing is known of it."""
        return next(iter(self._watch.models), "")

    def _names(self) -> list[str]:
        self._watch.require_loaded()
        return [name for name in dict.fromkeys((*self._watch.models, self._embedding_model())) if name]

    def _card(self, name: str) -> Model:
        return Model(id=name, object="model", created=self._started, owned_by="arr-coc-serve")
