"""Chat completions and models as OpenAI's clients read them, whole or in chunks."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from arr_coc.types import FinishReason
from serve_app.replies import Reply, UsageReply

CARRIED = frozenset(
    {"answer", "finish_reason", "usage", "model"}
)  # a completion has its own places for these


class _Sent(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CompletionMessage(_Sent):
    """The answer; it can be sent back as an earlier message."""

    role: Literal["assistant"]
    content: str
    refusal: None


class Choice(_Sent):
    """The one answer."""

    index: Literal[0]
    message: CompletionMessage
    logprobs: None
    finish_reason: FinishReason


class Completion(_Sent):
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


class ChunkDelta(_Sent):
    """What came since the last chunk."""

    role: Literal["assistant"] | None = None
    content: str | None = None


class ChunkChoice(_Sent):
    """A piece of the one answer; ``finish_reason`` is null until the last."""

    index: Literal[0]
    delta: ChunkDelta
    logprobs: None
    finish_reason: FinishReason | None


class Chunk(_Sent):
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


class Model(_Sent):
    """A model that can be asked."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(_Sent):
    """The models that can be asked; there is one."""

    object: Literal["list"]
    data: tuple[Model, ...]


def completion(reply: Reply, *, created: int, explain: bool) -> dict[str, Any]:
    """``reply`` as a chat completion, ready for JSON."""
    message = CompletionMessage(role="assistant", content=reply.answer, refusal=None)
    choice = Choice(index=0, message=message, logprobs=None, finish_reason=reply.finish_reason)
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
