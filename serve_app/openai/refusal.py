"""Why a request was not taken, in this project's words and with OpenAI's names of fields.

Says where it is wrong without repeating what was sent: paths hold names of ours and numbers only.
"""

from typing import Any

from pydantic import BaseModel, ValidationError

from arr_coc.errors import InvalidRequest
from serve_app.openai.embedding_request import INPUT, EmbeddingsRequest, ImageInput, TextInput
from serve_app.openai.messages import AssistantMessage, ImagePart, ImageUrl, TextPart
from serve_app.openai.request import (
    MAX_STOP_CHARS,
    UNSUPPORTED,
    ChatRequest,
    Extension,
    StreamOptions,
)

_MODELS: tuple[type[BaseModel], ...] = (
    ChatRequest, AssistantMessage, TextPart, ImagePart, ImageUrl, StreamOptions, Extension,
    EmbeddingsRequest, TextInput, ImageInput,
)  # fmt: skip
_WANTED = {
    name: field.description
    for model in _MODELS
    for name, field in model.model_fields.items()
    if field.description
}
_ITEMS = {
    "messages": "an object with role and content",
    "content": "an object with a type",
    "input": INPUT,
    "stop": f"text of 1 to {MAX_STOP_CHARS} characters",
}
_TAGS = {
    "messages": ("role", "unsupported_role", "system, developer, user or assistant"),
    "content": ("type", "unsupported_content", "text or, in a user's message, image_url"),
}


def refusal(error: ValidationError) -> InvalidRequest:
    """The first thing that is wrong."""
    details = error.errors(include_url=False, include_context=False, include_input=False)[0]
    kind, location = details["type"], details["loc"]
    if kind == "extra_forbidden":
        return _unknown(_steps(location[:-1]))  # the last is the client's own name
    steps = _steps(location)
    named = next((step for step in reversed(steps) if isinstance(step, str)), "")
    if kind.startswith("union_tag") and named in _TAGS:
        field, code, wanted = _TAGS[named]
        path = _path([*steps, field])
        return InvalidRequest(f"{path} must be {wanted}", code=code, param=path)
    path = _path(steps)
    if kind == "missing":
        return InvalidRequest(f"{path} is required", code="missing_field", param=path)
    wanted = _WANTED[named] if isinstance(steps[-1], str) else _ITEMS.get(named, _WANTED[named])
    code = "unsupported_parameter" if UNSUPPORTED & set(steps) else "invalid_value"
    return InvalidRequest(f"{path} must be {wanted}", code=code, param=path)


def _unknown(parent: list[str | int]) -> InvalidRequest:
    path = _path(parent)
    return InvalidRequest(
        f"{path or 'the request'} has an unknown field; /openapi.json lists those that are known",
        code="unknown_field",
        param=path or None,
    )


def _steps(location: tuple[Any, ...]) -> list[str | int]:
    """A location without the tags of unions: a message's role, and whatever stands in brackets."""
    if location[:1] == ("messages",):
        location = (*location[:2], *location[3:])
    return [step for step in location if isinstance(step, int) or not step.startswith("<")]


def _path(steps: list[str | int]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")
