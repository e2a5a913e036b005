"""What can be called: paths, bodies, answers, and the errors that each call can end in."""

from dataclasses import dataclass, field
from typing import Literal

from serve_app.body import FORM, JSON
from serve_app.labelling import PredictionReply
from serve_app.openai.completion import Chunk, Completion, Model, ModelList
from serve_app.openai.embedding_request import EmbeddingsRequest
from serve_app.openai.embeddings import EmbeddingList
from serve_app.openai.request import ChatRequest
from serve_app.openapi.examples import Examples, batches, chats, embeddings, labellings, questions
from serve_app.openapi.schemas import (
    ErrorBody,
    PictureLabels,
    PictureLabelsForm,
    Schema,
    StreamedText,
    VisualQuestion,
    VisualQuestionForm,
    events,
    list_of,
    ref,
)
from serve_app.probes import METRICS_MEDIA_TYPE, HealthReply, LiveReply, UnavailableReply
from serve_app.replies import Reply

EVENTS = "text/event-stream"
_ALWAYS = (405, 431, 500)
_WORK = (400, 408, 413, 415, 422, 429, *_ALWAYS, 503, 504)


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent in one media type."""

    schema: Schema
    examples: Examples = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """One call. ``answers`` are the bodies of a 200, ``errors`` the statuses of all others;
    ``unavailable`` is the body of a 503 where it is not an error like any other."""

    method: Literal["get", "post"]
    path: str
    summary: str
    answers: dict[str, Body]
    errors: tuple[int, ...]
    body: dict[str, Body] = field(default_factory=dict)
    unavailable: Schema | None = None
    description: str = ""

    @property
    def parameters(self) -> list[str]:
        """Names within the path."""
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]


def operations(model: str, embedding: str, max_batch: int) -> tuple[Operation, ...]:
    """Every call of a server of ``model``, and of ``embedding``, "" where nothing embeds, that takes
    ``max_batch`` questions in one batch."""
    return (*_asking(max_batch), *_openai(model), *_embedding(embedding), *_looking())


def _asking(max_batch: int) -> tuple[Operation, ...]:
    question = {JSON: Body(ref(VisualQuestion), questions()), FORM: Body(ref(VisualQuestionForm))}
    batch = list_of(ref(VisualQuestion), {}, most=max_batch)
    results = list_of(ref(Reply), ref(ErrorBody), most=max_batch)
    return (
        Operation("post", "/vqa", "Ask about a picture.", {JSON: Body(ref(Reply))}, _WORK, question),
        Operation(
            "post", "/stream_generate", "Ask about a picture; the answer comes as it is made.",
            {EVENTS: Body(events(StreamedText, "ReplyWithoutAnswer", failing="error"))}, _WORK, question,
            description="Events: StreamedText as tokens become final, ReplyWithoutAnswer, `[DONE]`; or, where it "
            "fails on the way, an event named `error` with an ErrorBody, and no `[DONE]`.",
        ),
        Operation(
            "post", "/batch_predict", "Ask many questions; each is answered or refused alone, in order.",
            {JSON: Body(results)}, _WORK, {JSON: Body(batch, batches())},
            description="What is no VisualQuestion is answered with an ErrorBody in its place.",
        ),
    )  # fmt: skip


def _openai(model: str) -> tuple[Operation, ...]:
    answers = {JSON: Body(ref(Completion)), EVENTS: Body(events(Chunk, failing="message"))}
    return (
        Operation(
            "post", "/v1/chat/completions", "The next message of a conversation, as OpenAI's clients ask for it.",
            answers, (404, *_WORK), {JSON: Body(ref(ChatRequest), chats(model))},
            description="A stream's events are each a Chunk, then `[DONE]`; or, where it fails on the way, an "
            "ErrorBody and no `[DONE]`. Pictures are fetched only from hosts that the server lists. A picture stands "
            "before the text of its message where there is one text.",
        ),
        Operation("get", "/v1/models", "The served models.", {JSON: Body(ref(ModelList))}, (*_ALWAYS, 503)),
        Operation("get", "/v1/models/{model}", "A served model.", {JSON: Body(ref(Model))}, (404, *_ALWAYS, 503)),
    )  # fmt: skip


def _embedding(model: str) -> tuple[Operation, ...]:
    labels = {JSON: Body(ref(PictureLabels), labellings(model)), FORM: Body(ref(PictureLabelsForm))}
    return (
        Operation(
            "post", "/v1/embeddings", "Vectors of texts and pictures, as OpenAI's clients ask for them.",
            {JSON: Body(ref(EmbeddingList))}, (404, *_WORK), {JSON: Body(ref(EmbeddingsRequest), embeddings(model))},
            description="An item of `input` is a text, `{\"text\": ...}`, or `{\"image\": ...}` with a data URL: as "
            "Jina's API has it, in one list and in one space. Vectors have length one, so that their dot product is "
            "their cosine. A text that is too long is refused, never cut. 404 where no embedding model is served.",
        ),
        Operation(
            "post", "/predict", "Which of some labels a picture shows, likeliest first.",
            {JSON: Body(ref(PredictionReply))}, (404, *_WORK), labels,
            description="Zero-shot: labels are any texts, put into the place of `{}` in `template`. A form repeats "
            "`labels`. 404 where no embedding model is served.",
        ),
    )  # fmt: skip


def _looking() -> tuple[Operation, ...]:
    return (
        Operation("get", "/live", "Whether the process lives.", {JSON: Body(ref(LiveReply))}, _ALWAYS),
        Operation(
            "get", "/health", "Whether an answer can be expected.", {JSON: Body(ref(HealthReply))}, (*_ALWAYS, 503),
            unavailable=ref(UnavailableReply),
        ),
        Operation(
            "get", "/metrics", "Metrics of all stages, for Prometheus.",
            {METRICS_MEDIA_TYPE.partition(";")[0]: Body({"type": "string"})}, _ALWAYS,
        ),
        Operation(
            "get", "/", "A page that asks, and shows where the model looked.",
            {"text/html": Body({"type": "string"})}, _ALWAYS,
        ),
        Operation("get", "/openapi.json", "This description.", {JSON: Body({"type": "object"})}, _ALWAYS),
    )  # fmt: skip
