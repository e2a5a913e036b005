"""``/predict``: which of some labels a picture shows, without training (zero-shot).

    {"image": DATA URL, "labels": ["a cat", "a dog"], "template": "a photo of {}"}

or a form whose ``labels`` come one a part. Strict in what it takes. It knows HTTP and the embedding's calls;
neither processes nor a model.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from arr_coc.embedding.types import Labelled
from arr_coc.errors import InvalidRequest
from serve_app.admission import Turn
from serve_app.data_url import Picture, picture_at
from serve_app.embedding import Embedding, EmbeddingLimits, Inputs
from serve_app.explaining import DIGITS, ReplyModel
from serve_app.openai.embeddings import EmbeddingUsage, require_short
from serve_app.record import record_of

Label = Annotated[str, Field(min_length=1)]


class Labels(BaseModel):
    """What a picture may show. The descriptions complete the sentence "``field`` must be ..." in error
    messages."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    labels: Annotated[
        list[Label],
        Field(min_length=1, description="a list of texts, each of at least one character"),
    ]
    template: Annotated[
        str, Field(pattern=r"^[^{}]*\{\}[^{}]*$", description="text with one {} in the place of the label")
    ] = "{}"


class Prediction(ReplyModel):
    """A label, and how likely the picture shows it, 0..1."""

    label: str
    probability: float


class PredictionReply(ReplyModel):
    """The labels, likeliest first. ``independent``: each is likely or not by itself, as SigLIP has it;
    otherwise the probabilities sum to one."""

    predictions: list[Prediction]
    independent: bool
    usage: EmbeddingUsage
    timings_ms: dict[str, float]
    model: str
    request_id: str


class LabellingRoute:
    """One picture, many labels."""

    def __init__(self, embedding: Embedding | None, model: Callable[[], str]) -> None:
        """``model`` tells the served model's name."""
        self._embedding = embedding
        self._model = model

    async def predict(self, request: Request, turn: Turn, fields: object) -> Response:
        """How likely each label is of the picture."""
        assert self._embedding is not None
        inputs, labels = read_labels(fields, self._embedding.limits)
        record = record_of(request.scope)
        found = await self._embedding.label(turn, record.request_id, inputs)
        record.report = {"prompt_tokens": found.tokens, "timings_ms": dict(found.timings_ms)}
        reply = reply_to(labels, found, model=self._model(), request_id=record.request_id)
        return JSONResponse(reply.model_dump(mode="json"))


def read_labels(fields: object, limits: EmbeddingLimits) -> tuple[Inputs, list[str]]:
    """What to embed, the picture first, and the labels as the client sent them.

    ``fields`` is a decoded JSON value or form. Raises InvalidRequest, naming the first offending field."""
    if not isinstance(fields, Mapping):
        raise InvalidRequest("the request must be a JSON object", code="invalid_type")
    rest: dict[str, Any] = dict(fields)
    image = rest.pop("image", None)
    asked = _labels(rest)
    if len(asked.labels) > limits.max_inputs:
        raise InvalidRequest(
            f"labels must have at most {limits.max_inputs} texts", code="invalid_value", param="labels"
        )
    names = [f"labels[{index}]" for index in range(len(asked.labels))]
    require_short(asked.template, limits, "template")
    for label, name in zip(asked.labels, names, strict=True):
        require_short(label, limits, name)
    texts = [asked.template.replace("{}", label) for label in asked.labels]
    return Inputs((_picture(image), *texts), ("image", *names)), asked.labels


def reply_to(labels: list[str], found: Labelled, *, model: str, request_id: str) -> PredictionReply:
    """The reply that tells all of ``found``."""
    ranked = sorted(zip(labels, found.likelihoods.tolist(), strict=True), key=lambda each: -each[1])
    return PredictionReply(
        predictions=[Prediction(label=label, probability=likely) for label, likely in ranked],
        independent=found.independent,
        usage=EmbeddingUsage(prompt_tokens=found.tokens, total_tokens=found.tokens),
        timings_ms={name: round(ms, DIGITS) for name, ms in found.timings_ms.items()},
        model=model,
        request_id=request_id,
    )


def _labels(fields: dict[str, Any]) -> Labels:
    try:
        return Labels.model_validate(fields)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)[0]
    name, *place = details["loc"]
    field = Labels.model_fields.get(str(name))
    if field is None:
        known = ", ".join(["image", *Labels.model_fields])
        raise InvalidRequest(f"the request has an unknown field; known are {known}", code="unknown_field")
    if details["type"] == "missing":
        raise InvalidRequest(f"{name} is required", code="missing_field", param=str(name))
    param = f"{name}[{place[0]}]" if place else str(name)
    raise InvalidRequest(f"{name} must be {field.description}", code="invalid_value", param=param)


def _picture(value: object) -> Picture:
    if value is None:
        raise InvalidRequest("image is required", code="missing_field", param="image")
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return picture_at(value)
    raise InvalidRequest("image must be a data URL", code="invalid_data_url", param="image")
