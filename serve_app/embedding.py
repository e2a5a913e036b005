"""The way of what shall be embedded: a door of its own, pictures held in memory, then the embedding stage.

It knows the stage by a Protocol only, neither processes nor HTTP. Room for pictures, and the hosts that they
may be fetched from, are the pipeline's.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from arr_coc.answers import Delta, Report
from arr_coc.embedding.types import Embedded, EmbeddingAsk, EmbeddingStatus, Labelled
from arr_coc.errors import InvalidRequest
from arr_coc.status import EngineStatus
from arr_coc.types import Ask, TexturedPicture
from serve_app.admission import Door, Turn
from serve_app.data_url import Picture, RemotePicture
from serve_app.pipeline import Pipeline, in_time

Result = TypeVar("Result")


class EmbeddingStage(Protocol):
    """Embeds texts and pictures. Cancelling a call takes what still waits out of its queue."""

    async def embed(self, ask: EmbeddingAsk) -> Embedded:
        """Raises InvalidRequest, Overloaded, DeadlineExceeded, ModelFault, EngineClosed or StageCrashed."""

    async def label(self, ask: EmbeddingAsk) -> Labelled:
        """Of a picture and the labels after it. Raises as ``embed``."""

    async def status(self) -> EmbeddingStatus:
        """A snapshot; raises StageCrashed when there is none."""


@dataclass(frozen=True, slots=True)
class EmbeddingLimits:
    """What the server allows beyond what is well formed."""

    max_inputs: int
    max_chars: int  # of one text
    stall_s: float = 30.0  # a forward longer than this is no health


@dataclass(frozen=True, slots=True)
class Inputs:
    """What shall be embedded, in order, and what the client calls each of it."""

    contents: tuple[str | Picture, ...]
    names: tuple[str, ...]

    @property
    def pictures(self) -> list[Picture]:
        return [each for each in self.contents if isinstance(each, bytes | RemotePicture)]

    @contextmanager
    def named_as_sent(self) -> Iterator[None]:
        """What is refused of a picture before the stage has it, is told under the client's name for it, or
        for all inputs where there are several pictures."""
        try:
            yield
        except InvalidRequest as error:
            if error.param == "image":
                shown = [
                    name
                    for each, name in zip(self.contents, self.names, strict=True)
                    if not isinstance(each, str)
                ]
                error.param = shown[0] if len(shown) == 1 else "input"
            raise


class Embedding:
    """The embedding stage behind its door. One per ingress process, used from one event loop."""

    def __init__(
        self, stage: EmbeddingStage, pipeline: Pipeline, door: Door, limits: EmbeddingLimits
    ) -> None:
        self._stage = stage
        self._pipeline = pipeline
        self._door = door
        self.limits = limits

    def admit(self, tenant: str = "", within_s: float | None = None) -> Turn:
        """A place in flight, as `Pipeline.admit`. Raises Overloaded, RateLimited or Draining."""
        return self._door.admit(tenant, within_s=within_s)

    @property
    def draining(self) -> bool:
        return self._door.closed

    async def drain(self, timeout_s: float) -> bool:
        """Refuses new work from now on; whether all that was in flight ended within ``timeout_s``."""
        self._door.close()
        return await self._door.emptied(timeout_s)

    async def status(self) -> EmbeddingStatus:
        """The stage's own snapshot; the door learns from it how long the queue is."""
        status = await self._stage.status()
        self._door.backlog = status.backlog
        return status

    async def embed(self, turn: Turn, request_id: str, inputs: Inputs) -> Embedded:
        """The vectors of all inputs, or a typed error."""
        return await self._asked(turn, request_id, inputs, self._stage.embed)

    async def label(self, turn: Turn, request_id: str, inputs: Inputs) -> Labelled:
        """How likely the texts after the picture, the first input, are of it; or a typed error."""
        return await self._asked(turn, request_id, inputs, self._stage.label)

    async def _asked(
        self,
        turn: Turn,
        request_id: str,
        inputs: Inputs,
        work: Callable[[EmbeddingAsk], Awaitable[Result]],
    ) -> Result:
        with inputs.named_as_sent():
            async with self._pipeline.held(turn, inputs.pictures) as encoded:
                files = iter(encoded)
                contents = tuple(each if isinstance(each, str) else next(files) for each in inputs.contents)
                ask = EmbeddingAsk(request_id, contents, inputs.names, turn.remaining_s(), turn.tenant)
                return await in_time(turn, lambda: work(ask))


class NothingGenerates:
    """Stands for the stages of a vision-language model where there is none: both of them. Its status is the
    embedding stage's."""

    def __init__(self, embedding: EmbeddingStage) -> None:
        self._embedding = embedding

    async def prepare(self, ask: Ask, image: bytes) -> TexturedPicture:
        raise nothing_generates()

    async def answer(self, ask: Ask, *pictures: TexturedPicture) -> Report:
        raise nothing_generates()

    def stream(self, ask: Ask, *pictures: TexturedPicture) -> AsyncGenerator[Delta | Report, None]:
        raise nothing_generates()

    async def expect(self, model: str) -> None:
        raise nothing_generates()

    async def status(self) -> EngineStatus:
        return await self._embedding.status()


def nothing_generates() -> InvalidRequest:
    """The error of a question to a server that only embeds."""
    return InvalidRequest("no vision-language model is served here", code="model_not_found", param="model")


def nothing_embeds() -> InvalidRequest:
    """The error of something to embed on a server that does not."""
    return InvalidRequest("no embedding model is served here", code="model_not_found", param="model")
