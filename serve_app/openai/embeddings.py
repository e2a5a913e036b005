"""``/v1/embeddings``: from a request to inputs, and from vectors to a reply.

It knows HTTP and the embedding's calls; neither processes nor a model.
"""

import base64
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from arr_coc.embedding.types import Embedded, EmbeddingStatus
from arr_coc.errors import ContextLengthExceeded, InvalidRequest
from serve_app.admission import Turn
from serve_app.data_url import Picture, picture_at
from serve_app.embedding import Embedding, EmbeddingLimits, Inputs, nothing_embeds
from serve_app.explaining import DIGITS, ReplyModel
from serve_app.health import StatusWatch
from serve_app.openai.embedding_request import EmbeddingsRequest, ImageInput, TextInput
from serve_app.openai.refusal import refusal
from serve_app.record import record_of


class Vector(ReplyModel):
    """One input's vector, of length one: numbers, or base64 of little-endian float32."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingUsage(ReplyModel):
    """Tokens of texts, and patches of pictures."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingExtension(ReplyModel):
    """What this server tells besides."""

    request_id: str
    timings_ms: dict[str, float]


class EmbeddingList(ReplyModel):
    """The body of an answered ``POST /v1/embeddings``, in the order of the input."""

    object: Literal["list"]
    data: list[Vector]
    model: str
    usage: EmbeddingUsage
    arr_coc: EmbeddingExtension


class EmbeddingRoutes:
    """What OpenAI's clients call to embed. Without an ``embedding`` there is no such model."""

    def __init__(self, embedding: Embedding | None, watch: StatusWatch | None) -> None:
        self._embedding = embedding
        self._watch = watch

    def admit(self, tenant: str, within_s: float | None = None) -> Turn:
        """A place in flight. Raises InvalidRequest (``model_not_found``), EngineClosed (``not_ready``), and as
        `Embedding.admit`."""
        if self._embedding is None or self._watch is None:
            raise nothing_embeds()
        if not self._embedding.draining:
            self._watch.require_loaded()
        return self._embedding.admit(tenant, within_s)

    def served_model(self) -> str:
        """The name of the model; "" while nothing is known of it, or where there is none."""
        status = None if self._watch is None else self._watch.status
        return status.model if status else ""

    async def embeddings(self, request: Request, turn: Turn, fields: object) -> Response:
        """The vectors of texts and pictures."""
        assert self._embedding is not None
        asked = read_embeddings(fields)
        self._require_served(asked)
        record = record_of(request.scope)
        inputs = inputs_of(asked, self._embedding.limits)
        embedded = await self._embedding.embed(turn, record.request_id, inputs)
        record.report = {"prompt_tokens": embedded.tokens, "timings_ms": dict(embedded.timings_ms)}
        body = to_json(reply_to(asked, embedded, record.request_id))  # numbers by the thousand
        return Response(body, media_type="application/json")

    def _require_served(self, asked: EmbeddingsRequest) -> None:
        assert self._watch is not None
        self._watch.require_loaded()
        status = self._watch.status
        if status is None or asked.model != status.model:
            raise InvalidRequest(
                "no such embedding model is served; GET /v1/models tells those that are",
                code="model_not_found",
                param="model",
            )
        dimensions = status.dimensions if isinstance(status, EmbeddingStatus) else 0
        if asked.dimensions not in (None, dimensions):
            raise InvalidRequest(
                f"this model's vectors have {dimensions} dimensions and cannot be cut to fewer",
                code="unsupported_parameter",
                param="dimensions",
            )


def read_embeddings(fields: object) -> EmbeddingsRequest:
    """The request in a decoded JSON value. Raises InvalidRequest, naming the first offending field."""
    if not isinstance(fields, Mapping):
        raise InvalidRequest("the request must be a JSON object", code="invalid_type")
    try:
        return EmbeddingsRequest.model_validate(dict(fields))
    except ValidationError as error:
        raise refusal(error) from None


def inputs_of(asked: EmbeddingsRequest, limits: EmbeddingLimits) -> Inputs:
    """Texts, and pictures as their bytes or where they are. Raises InvalidRequest."""
    listed = isinstance(asked.input, list)
    items = asked.input if isinstance(asked.input, list) else [asked.input]
    if len(items) > limits.max_inputs:
        raise InvalidRequest(
            f"input must have at most {limits.max_inputs} texts and pictures",
            code="invalid_value",
            param="input",
        )
    contents, names = list[str | Picture](), list[str]()
    for index, item in enumerate(items):
        name = f"input[{index}]" if listed else "input"
        content, name = _content(item, name)
        if isinstance(content, str):
            require_short(content, limits, name)
        contents.append(content)
        names.append(name)
    return Inputs(tuple(contents), tuple(names))


def require_short(text: str, limits: EmbeddingLimits, name: str) -> None:
    """Raises ContextLengthExceeded where ``text`` is longer than any model takes."""
    if len(text) > limits.max_chars:
        raise ContextLengthExceeded(f"{name} must have at most {limits.max_chars} characters", param=name)


def reply_to(asked: EmbeddingsRequest, embedded: Embedded, request_id: str) -> dict[str, Any]:
    """``embedded`` as an `EmbeddingList`, ready for JSON."""
    spelled = _base64 if asked.encoding_format == "base64" else _numbers
    usage = EmbeddingUsage(prompt_tokens=embedded.tokens, total_tokens=embedded.tokens)
    times = {name: round(ms, DIGITS) for name, ms in embedded.timings_ms.items()}
    extension = EmbeddingExtension(request_id=request_id, timings_ms=times)
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": spelled(vector)}
            for index, vector in enumerate(embedded.vectors)
        ],
        "model": asked.model,
        "usage": usage.model_dump(),
        "arr_coc": extension.model_dump(),
    }


def _content(item: str | TextInput | ImageInput, name: str) -> tuple[str | Picture, str]:
    if isinstance(item, str):
        return item, name
    if isinstance(item, TextInput):
        return item.text, f"{name}.text"
    name = f"{name}.image"
    try:
        return picture_at(item.image), name
    except InvalidRequest as error:
        error.param = name
        raise


def _numbers(vector: NDArray[np.float32]) -> list[float]:
    numbers: list[float] = vector.tolist()
    return numbers


def _base64(vector: NDArray[np.float32]) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()
