"""From a chat request to what the stages are asked: a conversation, its pictures, and how to answer.

Owns what OpenAI's fields mean here. It does not know how an answer is sent.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import ValidationError

from arr_coc.errors import ContextLengthExceeded, InvalidRequest
from arr_coc.types import PICTURE, Ask, Detail, Mark, Message, Role, Sampling
from serve_app.data_url import Picture, picture_at
from serve_app.openai.messages import ImagePart, ImageUrl
from serve_app.openai.messages import Message as Said
from serve_app.openai.refusal import refusal
from serve_app.openai.request import ChatRequest, Extension
from serve_app.schemas import DEFAULT_MAX_TOKENS


@dataclass(frozen=True, slots=True)
class ChatLimits:
    """What the server allows beyond what is well formed."""

    max_new_tokens: int
    max_chars: int  # of all texts together
    max_pictures: int


@dataclass(frozen=True, slots=True)
class ChatQuestion:
    """A request that was taken: pictures' encoded bytes, or where they are, and the conversation that
    shows them."""

    request: ChatRequest
    messages: tuple[Message, ...]
    images: tuple[Picture, ...]
    image_paths: tuple[str, ...]  # where each picture stands in the request
    detail: Detail
    max_tokens: int

    @property
    def extension(self) -> Extension:
        return self.request.arr_coc or Extension()

    def ask(self, request_id: str, remaining_s: float) -> Ask:
        """The request as the stages see it."""
        request = self.request
        return Ask(
            request_id=request_id,
            query=self.messages[-1].text,
            sampling=Sampling(
                max_new_tokens=self.max_tokens,
                temperature=request.temperature or 0.0,
                top_p=1.0 if request.top_p is None else request.top_p,
                seed=request.seed,
                ignore_eos=bool(request.ignore_eos),
                stop=_stop(request),
                top_logprobs=(request.top_logprobs or 0) if request.logprobs else None,
            ),
            visual_token_budget=self.extension.visual_token_budget,
            remaining_s=remaining_s,
            detail=self.detail,
            messages=self.messages,
            model=request.model,
        )

    @contextmanager
    def named_as_sent(self) -> Iterator[None]:
        """What the stages refuse is told under the names that the client used."""
        try:
            yield
        except InvalidRequest as error:
            picture = self.image_paths[0] if len(self.image_paths) == 1 else "messages"
            ours = {
                "query": "messages",
                "image": picture,
                "visual_token_budget": "arr_coc.visual_token_budget",
            }
            error.param = ours.get(error.param or "", error.param)
            raise


def read_chat(fields: object, limits: ChatLimits) -> ChatQuestion:
    """The request in ``fields``, a decoded JSON value. Raises InvalidRequest, naming the first
    offending field."""
    if not isinstance(fields, Mapping):
        raise InvalidRequest("the request must be a JSON object", code="invalid_type")
    try:
        request = ChatRequest.model_validate(fields)
    except ValidationError as error:
        raise refusal(error) from None
    max_tokens = _max_tokens(request, limits)
    messages = tuple(map(_message, request.messages))
    _check(request, messages, limits)
    shown = list(_shown(request.messages))
    if len(shown) > limits.max_pictures:
        raise InvalidRequest(
            f"messages must show at most {limits.max_pictures} pictures",
            code="too_many_images",
            param="messages",
        )
    return ChatQuestion(
        request=request,
        messages=messages,
        images=tuple(_image(path, image) for path, image in shown),
        image_paths=tuple(path for path, _ in shown),
        detail=_detail([image.detail or "auto" for _, image in shown]),
        max_tokens=max_tokens,
    )


def _max_tokens(request: ChatRequest, limits: ChatLimits) -> int:
    newer = request.max_completion_tokens
    if newer is not None and request.max_tokens is not None:
        raise InvalidRequest(
            "max_tokens must be left out where max_completion_tokens is given",
            code="invalid_parameter_combination",
            param="max_tokens",
        )
    name, asked = ("max_tokens", request.max_tokens) if newer is None else ("max_completion_tokens", newer)
    if asked is not None and asked > limits.max_new_tokens:
        raise InvalidRequest(
            f"{name} must be at most {limits.max_new_tokens}", code="invalid_value", param=name
        )
    return min(DEFAULT_MAX_TOKENS, limits.max_new_tokens) if asked is None else asked


def _check(request: ChatRequest, messages: tuple[Message, ...], limits: ChatLimits) -> None:
    if request.stream_options is not None and not request.stream:
        raise _needs("stream_options", "stream")
    if request.top_logprobs and not request.logprobs:
        raise _needs("top_logprobs", "logprobs")
    last = messages[-1]
    if last.role != "user" or not any(last.parts):
        raise InvalidRequest(
            "the last message must be a user's that is not empty", code="invalid_value", param="messages"
        )
    if sum(len(message.text) for message in messages) > limits.max_chars:
        raise ContextLengthExceeded(
            f"messages must have at most {limits.max_chars} characters together", param="messages"
        )


def _needs(name: str, other: str) -> InvalidRequest:
    return InvalidRequest(
        f"{name} must be left out where {other} is not true", code="invalid_parameter_combination", param=name
    )


def _shown(messages: list[Said]) -> Iterator[tuple[str, ImageUrl]]:
    for at, message in enumerate(messages):
        for index, part in enumerate(message.content):
            if isinstance(part, ImagePart):
                yield f"messages[{at}].content[{index}].image_url.url", part.image_url


def _image(path: str, image: ImageUrl) -> Picture:
    try:
        return picture_at(image.url)
    except InvalidRequest as error:
        error.param = path
        raise


def _detail(details: list[Detail]) -> Detail:
    """Of several pictures, the closest look that any of them asks for."""
    return max(details, key=("low", "auto", "high").index, default="auto")


def _message(said: Said) -> Message:
    role: Role = "system" if said.role == "developer" else said.role
    if isinstance(said.content, str):
        return Message(role, (said.content,))
    parts: list[str | Mark] = []
    for part in said.content:
        if isinstance(part, ImagePart):
            parts.append(PICTURE)
        elif parts and isinstance(parts[-1], str):
            parts[-1] += part.text
        else:
            parts.append(part.text)
    return Message(role, _arranged(parts))


def _arranged(parts: list[str | Mark]) -> tuple[str | Mark, ...]:
    """Pictures stand before the text where there is one text, as on the native routes and in the
    model families' own examples, whichever a client puts first; among several texts they stay."""
    texts = [part for part in parts if isinstance(part, str)]
    pictures = [part for part in parts if isinstance(part, Mark)]
    return (*pictures, *texts) if len(texts) == 1 else tuple(parts)


def _stop(request: ChatRequest) -> tuple[str, ...]:
    return (request.stop,) if isinstance(request.stop, str) else tuple(request.stop or ())
