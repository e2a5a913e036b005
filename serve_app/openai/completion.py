"""Chat completions and models as OpenAI's clients read them, whole or in chunks."""

from collections.abc import Iterable
from typing import Any, Literal

from arr_coc.answers import TokenLogprobs
from arr_coc.types import FinishReason
from serve_app.explaining import ReplyModel
from serve_app.openai.logprobs import Logprobs, logprobs_reply
from serve_app.replies import Reply, UsageReply

CARRIED = frozenset(
    {"answer", "finish_reason", "usage", "model"}
)  # a completion has its own places for these


class CompletionMessage(ReplyModel):
    """The answer; it can be sent back as an earlier message."""

    role: Literal["assistant"]
    content: str
    refusal: None


class Choice(ReplyModel):
    """The one answer."""

    index: Literal[0]
    message: CompletionMessage
    logprobs: Logprobs | None
    finish_reason: FinishReason


class Completion(ReplyModel):
    """The body of an answered ``POST /v1/chat/completions``.

    ``arr_coc`` is what the native routes tell besides: the route, patches, budgets and times.
    """

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: tuple[Choice]
    usage: UsageReply
    arr_coc: dict[str, Any]


class ChunkDelta(ReplyModel):
    """What came since the last chunk."""

    role: Literal["assistant"] | None = None
    content: str | None = None


class ChunkChoice(ReplyModel):
    """A piece of the one answer; ``finish_reason`` is null until the last."""

    index: Literal[0]
    delta: ChunkDelta
    logprobs: Logprobs | None
    finish_reason: FinishReason | None


class Chunk(ReplyModel):
    """One event of a stream.

    The first gives the role, the last one with a choice the ``finish_reason`` and ``arr_coc``. Where
    ``stream_options.include_usage`` is true, one more has no choices but the ``usage``, which is null
    in all others.
    """

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: tuple[ChunkChoice, ...]
    usage: UsageReply | None = None
    arr_coc: dict[str, Any] | None = None


class Model(ReplyModel):
    """A model that can be asked."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(ReplyModel):
    """The models that can be asked; there is one."""

    object: Literal["list"]
    data: tuple[Model, ...]


def completion(
    reply: Reply, logprobs: Iterable[TokenLogprobs] | None, *, created: int, explain: bool
) -> dict[str, Any]:
    """``reply`` as a chat completion, ready for JSON; ``logprobs`` None where they were not asked for."""
    message = CompletionMessage(role="assistant", content=reply.answer, refusal=None)
    told = None if logprobs is None else logprobs_reply(logprobs)
    choice = Choice(index=0, message=message, logprobs=told, finish_reason=reply.finish_reason)
    return Completion(
        id=completion_id(reply.request_id),
        object="chat.completion",
        created=created,
        model=reply.model,
        choices=(choice,),
        usage=reply.usage,
        arr_coc=extension(reply, explain=explain),
    ).model_dump(mode="json")


def completion_id(request_id: str) -> str:
    """The id of the completion that answers a request."""
    return f"chatcmpl-{request_id}"


def extension(reply: Reply, *, explain: bool) -> dict[str, Any]:
    """All of ``reply`` that a completion has no place of its own for."""
    fields = reply.fields(explain=explain, with_answer=False)
    return {name: value for name, value in fields.items() if name not in CARRIED}
