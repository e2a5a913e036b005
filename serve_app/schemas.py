"""Bodies: the question a client may send, and the reply it gets.

Strict in what it takes: no coercion, no unknown field, no number out of its bounds. It does not
know how a body arrived, nor what a model does with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from arr_coc.errors import ContextLengthExceeded, InvalidRequest
from arr_coc.types import Ask, Sampling
from serve_app.data_url import Picture, picture_at

_STRICT = ConfigDict(frozen=True, strict=True, extra="forbid")
_MAX_SEED = 2**63 - 1
DEFAULT_MAX_TOKENS = 512


class Question(BaseModel):
    """What is asked about a picture, and how it shall be answered. The descriptions complete the
    sentence "``field`` must be ..." in error messages."""

    model_config = _STRICT

    query: Annotated[str, Field(min_length=1, description="text of at least one character")]
    max_tokens: Annotated[int, Field(ge=1, description="a whole number from 1 up")] = DEFAULT_MAX_TOKENS
    temperature: Annotated[float, Field(ge=0, le=2, description="a number from 0 to 2")] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1, description="a number above 0, at most 1")] = 1.0
    seed: Annotated[
        int | None, Field(ge=0, le=_MAX_SEED, description="a whole number from 0 to 2^63 - 1")
    ] = None
    visual_token_budget: Annotated[int | None, Field(description="a whole number of tokens")] = None
    ignore_eos: Annotated[bool, Field(description="true or false")] = False
    model: Annotated[str | None, Field(min_length=1, description="the name of a served model")] = None
    explain: Annotated[bool, Field(description="true or false")] = False


@dataclass(frozen=True, slots=True)
class QuestionLimits:
    """What the server allows beyond what is well formed."""

    max_new_tokens: int
    max_query_chars: int


@dataclass(frozen=True, slots=True)
class VisualQuestion:
    """A well-formed request: a picture's encoded bytes, or where it is, and the question about it."""

    image: Picture
    question: Question

    def ask(self, request_id: str, remaining_s: float) -> Ask:
        """The request as the stages see it."""
        question = self.question
        return Ask(
            request_id=request_id,
            query=question.query,
            sampling=Sampling(
                max_new_tokens=question.max_tokens,
                temperature=question.temperature,
                top_p=question.top_p,
                seed=question.seed,
                ignore_eos=question.ignore_eos,
            ),
            visual_token_budget=question.visual_token_budget,
            remaining_s=remaining_s,
            model=question.model or "",
        )


def read_question(fields: object, limits: QuestionLimits) -> VisualQuestion:
    """The request in ``fields``, a decoded JSON value or form. ``image`` is a URL, or the
    picture's bytes themselves. Raises InvalidRequest, naming the first offending field."""
    if not isinstance(fields, Mapping):
        raise InvalidRequest("the request must be a JSON object", code="invalid_type")
    rest: dict[str, Any] = dict(fields)
    image = rest.pop("image", None)
    question = _question(rest, limits)
    if image is None:
        raise InvalidRequest("image is required", code="missing_field", param="image")
    return VisualQuestion(_image(image), question)


def _question(fields: dict[str, Any], limits: QuestionLimits) -> Question:
    try:
        question = Question.model_validate(fields)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise _invalid(details["type"], str(details["loc"][0])) from None
    if question.max_tokens > limits.max_new_tokens:
        raise InvalidRequest(
            f"max_tokens must be at most {limits.max_new_tokens}", code="invalid_value", param="max_tokens"
        )
    if len(question.query) > limits.max_query_chars:
        raise ContextLengthExceeded(
            f"query must have at most {limits.max_query_chars} characters", param="query"
        )
    return question


def _invalid(kind: str, name: str) -> InvalidRequest:
    """Says what is wrong without repeating what was sent: the name is used only if it is ours."""
    field = Question.model_fields.get(name)
    if field is None:
        known = ", ".join(["image", *Question.model_fields])
        return InvalidRequest(f"the request has an unknown field; known are {known}", code="unknown_field")
    if kind == "missing":
        return InvalidRequest(f"{name} is required", code="missing_field", param=name)
    return InvalidRequest(f"{name} must be {field.description}", code="invalid_value", param=name)


def _image(value: object) -> Picture:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return picture_at(value)
    raise InvalidRequest("image must be a data URL", code="invalid_data_url", param="image")
