"""A stream as OpenAI's clients read it: the role, the text, why it ended, and what it cost."""

from collections.abc import Callable
from typing import Any

from arr_coc.answers import Delta, Report
from serve_app.errors import ErrorReply
from serve_app.openai.completion import Chunk, ChunkChoice, ChunkDelta, completion_id, extension
from serve_app.openai.logprobs import logprobs_reply
from serve_app.replies import Reply
from serve_app.sse import event


class ChunkSpelling:
    """The chunks of one completion; ``reply`` makes the whole reply of its report."""

    def __init__(
        self,
        reply: Callable[[Report], Reply],
        *,
        request_id: str,
        model: str,
        created: int,
        include_usage: bool,
        explain: bool,
    ) -> None:
        self._reply = reply
        self._id = completion_id(request_id)
        self._model = model
        self._created = created
        self._include_usage = include_usage
        self._explain = explain

    def opening(self) -> bytes:
        return self._chunk(_choice(ChunkDelta(role="assistant", content="")))

    def delta(self, delta: Delta) -> bytes:
        told = logprobs_reply(delta.logprobs) if delta.logprobs else None
        return self._chunk(_choice(ChunkDelta(content=delta.text), logprobs=told))

    def closing(self, report: Report) -> bytes:
        reply = self._reply(report)
        last = _choice(ChunkDelta(), finish_reason=report.finish_reason)
        events = self._chunk(last, arr_coc=extension(reply, explain=self._explain))
        return events + self._chunk(usage=reply.usage) if self._include_usage else events

    def error(self, reply: ErrorReply) -> bytes:
        return event(reply.payload)

    def _chunk(self, *choices: ChunkChoice, **more: Any) -> bytes:
        usage = {"usage": None} if self._include_usage else {}
        chunk = Chunk(
            id=self._id,
            object="chat.completion.chunk",
            created=self._created,
            model=self._model,
            choices=choices,
            **{**usage, **more},
        )
        return event(chunk.model_dump(mode="json", exclude_unset=True))


def _choice(delta: ChunkDelta, **more: Any) -> ChunkChoice:
    return ChunkChoice(index=0, delta=delta, **{"logprobs": None, "finish_reason": None, **more})
