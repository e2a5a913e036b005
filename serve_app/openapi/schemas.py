"""Shapes that a client meets and that no single model of the server has: documented, not used."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from serve_app.labelling import Labels, PredictionReply
from serve_app.openai.completion import CARRIED, Chunk, Completion, ModelList
from serve_app.openai.embedding_request import EmbeddingsRequest
from serve_app.openai.embeddings import EmbeddingList
from serve_app.openai.request import ChatRequest
from serve_app.probes import HealthReply, LiveReply, UnavailableReply
from serve_app.replies import Reply
from serve_app.schemas import Question

Schema = dict[str, Any]
REFERENCE = "#/components/schemas/"


class VisualQuestion(Question):
    """What is asked about a picture, as JSON."""

    image: Annotated[
        str,
        Field(
            description="a data URL: data:image/...;base64, followed by base64; or an https URL of a listed host"
        ),
    ]


class VisualQuestionForm(Question):
    """What is asked about a picture, as a form."""

    image: Annotated[bytes, Field(description="a JPEG, PNG, WebP or GIF file")]


class PictureLabels(Labels):
    """A picture and what it may show, as JSON."""

    image: Annotated[
        str,
        Field(
            description="a data URL: data:image/...;base64, followed by base64; or an https URL of a listed host"
        ),
    ]


class PictureLabelsForm(Labels):
    """A picture and what it may show, as a form."""

    image: Annotated[bytes, Field(description="a JPEG, PNG, WebP or GIF file")]


class StreamedText(BaseModel):
    """An event of ``/stream_generate``: a piece of the answer."""

    model_config = ConfigDict(extra="forbid")

    text: str


class ErrorDetail(BaseModel):
    """What went wrong. ``param`` is the field that did, where there is one; ``code`` is stable."""

    model_config = ConfigDict(extra="forbid")

    message: str
    type: str
    param: str | None
    code: str


class ErrorBody(BaseModel):
    """The body of every error."""

    model_config = ConfigDict(extra="forbid")

    error: ErrorDetail


_MODELS: tuple[type[BaseModel], ...] = (
    VisualQuestion, VisualQuestionForm, Reply, StreamedText, ErrorBody, ChatRequest, Completion, Chunk, ModelList,
    PictureLabels, PictureLabelsForm, PredictionReply, EmbeddingsRequest, EmbeddingList,
    LiveReply, HealthReply, UnavailableReply,
)  # fmt: skip


def ref(model: type[BaseModel] | str) -> Schema:
    """A reference to a model's schema, or to one of that name."""
    return {"$ref": REFERENCE + (model if isinstance(model, str) else model.__name__)}


def list_of(*schemas: Schema, most: int) -> Schema:
    """A list of 1 to ``most`` items of any of ``schemas``."""
    items = schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}
    return {"type": "array", "items": items, "minItems": 1, "maxItems": most}


def events(*models: type[BaseModel] | str, failing: str) -> Schema:
    """A server-sent event whose data is ``[DONE]`` or one of ``models`` in JSON; an error's is named
    ``failing``. Before OpenAPI 3.2, the schema of an event stream is that of each of its events."""
    told = [ref(model) for model in (*models, ErrorBody)]
    data: Schema = {
        "type": "string",
        "contentMediaType": "application/json",
        "contentSchema": {"anyOf": told},
    }
    return {
        "type": "object",
        "properties": {
            "event": {"enum": sorted({"message", failing})},
            "data": {"anyOf": [{"const": "[DONE]"}, data]},
        },
        "required": ["data"],
    }


def schemas() -> dict[str, Schema]:
    """The schemas of all bodies, by name."""
    _, document = models_json_schema(
        [(model, "validation") for model in _MODELS], ref_template=REFERENCE + "{model}"
    )
    found: dict[str, Schema] = {name: _untitled(schema) for name, schema in document["$defs"].items()}
    form = found["VisualQuestionForm"]
    form["properties"] = {name: _present(field) for name, field in form["properties"].items()}
    found["ReplyWithoutAnswer"] = _without(found["Reply"], {"answer"})
    found["Looking"] = _without(found["Reply"], CARRIED)
    found["Looking"]["description"] = "How the answer came about, as the native routes tell it."
    for name in ("Completion", "Chunk"):
        found[name]["properties"]["arr_coc"] = ref("Looking")
    return found


def _without(schema: Schema, names: set[str] | frozenset[str]) -> Schema:
    properties = {name: each for name, each in schema["properties"].items() if name not in names}
    required = [name for name in schema["required"] if name not in names]
    return {**schema, "properties": properties, "required": required}


def _present(field: Schema) -> Schema:
    """A field of a form: it is left out where it has no value, for a form has no null."""
    kinds = [kind for kind in field.get("anyOf", ()) if kind != {"type": "null"}]
    rest = {name: value for name, value in field.items() if name != "anyOf" and value is not None}
    return {**rest, **kinds[0]} if kinds else field


def _untitled(schema: Any) -> Any:
    """Without the titles that pydantic makes of fields' names; a property may be called title."""
    if isinstance(schema, list):
        return [_untitled(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: {field: _untitled(each) for field, each in value.items()}
        if name == "properties"
        else _untitled(value)
        for name, value in schema.items()
        if name != "title" or not isinstance(value, str)
    }
