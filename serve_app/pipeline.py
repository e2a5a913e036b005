"""The way of a request: texture stage, then generation stage, under one deadline.

It knows the stages by two Protocols only, neither processes nor HTTP. Errors pass through typed;
a stage whose process died raises ``StageCrashed``.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from typing import Protocol, TypeVar

from arr_coc.room import Room
from arr_coc.types import Ask, Delta, EngineStatus, Report, TexturedPicture
from serve_app.admission import AdmissionConfig, Door, Turn, deadline_exceeded
from serve_app.data_url import Picture, RemotePicture, not_allowed
from serve_app.errors import StageCrashed

Result = TypeVar("Result")
Fetch = Callable[[str, str], AbstractAsyncContextManager[bytes]]
"""Gives what is at a URL for a tenant, as long as the context is open."""


class TextureStage(Protocol):
    """Makes of a picture what the model looks at first. Pure: asking twice is harmless."""

    async def prepare(self, ask: Ask, image: bytes) -> TexturedPicture:
        """Raises InvalidRequest for the client's faults, StageCrashed when its process died."""


class GenerationStage(Protocol):
    """Answers the question about a prepared picture. Cancelling the call frees what it holds."""

    async def answer(self, ask: Ask, *pictures: TexturedPicture) -> Report:
        """Raises Overloaded, DeadlineExceeded, ModelFault, EngineClosed or StageCrashed."""

    def stream(self, ask: Ask, *pictures: TexturedPicture) -> AsyncGenerator[Delta | Report, None]:
        """Deltas as they become final, the report last; closing the generator cancels."""

    async def status(self) -> EngineStatus:
        """A snapshot of the engine; raises StageCrashed when there is none."""


class Pipeline:
    """Both stages behind one door. One per ingress process, used from one event loop."""

    def __init__(
        self,
        texture: TextureStage,
        generation: GenerationStage,
        door: Door | None = None,
        room: Room | None = None,
        weigh: Callable[[bytes], int] = len,
        fetch: Fetch | None = None,
    ) -> None:
        """``weigh`` tells the bytes that an encoded picture decodes to; so many are held of ``room``
        while its request is under way. It may raise InvalidRequest. Without ``fetch`` no picture is
        fetched from anywhere."""
        self._texture = texture
        self._generation = generation
        self._door = door or Door(AdmissionConfig())
        self._room = room or Room(2**30)
        self._weigh = weigh
        self._fetch = fetch

    @property
    def draining(self) -> bool:
        return self._door.closed

    @property
    def in_flight(self) -> int:
        return self._door.in_flight

    def admit(self, tenant: str = "") -> Turn:
        """A place in flight, held while its context is open; its deadline runs from now on.

        Raises Overloaded, RateLimited or Draining.
        """
        return self._door.admit(tenant)

    async def drain(self, timeout_s: float) -> bool:
        """Refuses new work from now on and waits, at most ``timeout_s``, for what is in flight;
        whether all of it ended in time. Calling it again is harmless."""
        self._door.close()
        return await self._door.emptied(timeout_s)

    async def status(self) -> EngineStatus:
        """The generation stage's own snapshot; the door learns from it how long the engine's queue is."""
        status = await self._generation.status()
        self._door.backlog = status.backlog
        return status

    async def answer(self, turn: Turn, ask: Ask, *images: Picture) -> Report:
        """The whole answer to ``ask`` about its pictures, in the order it shows them; or a typed error."""
        async with self.held(turn, images) as encoded:
            pictures = await self._prepare_all(turn, ask, encoded)
            return await in_time(turn, lambda: self._generation.answer(_handed_over(ask, turn), *pictures))

    async def stream(self, turn: Turn, ask: Ask, *images: Picture) -> AsyncGenerator[Delta | Report, None]:
        """Deltas, then the report; or a typed error at any point. Closing it cancels the request."""
        async with self.held(turn, images) as encoded:
            pictures = await self._prepare_all(turn, ask, encoded)
            async with aclosing(self._generation.stream(_handed_over(ask, turn), *pictures)) as events:
                while True:
                    try:
                        event = await in_time(turn, events.__anext__)
                    except StopAsyncIteration:
                        raise StageCrashed(
                            "the generation stage ended before the answer was complete"
                        ) from None
                    yield event
                    if isinstance(event, Report):
                        return

    @asynccontextmanager
    async def held(self, turn: Turn, images: Sequence[Picture]) -> AsyncIterator[list[bytes]]:
        """The encoded pictures, and room for the decoded ones, waited for until the deadline at most."""
        async with AsyncExitStack() as held:
            encoded = [await self._encoded(turn, image, held) for image in images]
            size = sum(map(self._weigh, encoded))
            await in_time(turn, lambda: held.enter_async_context(self._room.hold(size, turn.tenant)))
            yield encoded

    async def _encoded(self, turn: Turn, image: Picture, held: AsyncExitStack) -> bytes:
        if not isinstance(image, RemotePicture):
            return image
        if self._fetch is None:
            raise not_allowed()
        fetched = self._fetch(image.url, turn.tenant)
        return await in_time(turn, lambda: held.enter_async_context(fetched))

    async def _prepare_all(self, turn: Turn, ask: Ask, images: Sequence[bytes]) -> list[TexturedPicture]:
        """One after another: a request of many pictures takes no more of the stage than others do."""
        return [await self._prepare(turn, ask, image) for image in images]

    async def _prepare(self, turn: Turn, ask: Ask, image: bytes) -> TexturedPicture:
        def attempt() -> Awaitable[TexturedPicture]:
            told = replace(_handed_over(ask, turn), backlog=self._door.backlog_of(turn.tenant))
            return self._texture.prepare(told, image)

        try:
            return await in_time(turn, attempt)
        except StageCrashed:  # the stage is pure, and nothing has been sent yet
            return await in_time(turn, attempt)


def _handed_over(ask: Ask, turn: Turn) -> Ask:
    return replace(ask, remaining_s=turn.remaining_s(), tenant=turn.tenant)


async def in_time(turn: Turn, work: Callable[[], Awaitable[Result]]) -> Result:
    """What ``work`` gives, by the deadline of ``turn``. Raises DeadlineExceeded, and StageCrashed where it was
    cancelled from elsewhere."""
    limit = asyncio.timeout(turn.remaining_s())
    try:
        async with limit:
            return await work()
    except TimeoutError:
        if limit.expired():
            raise deadline_exceeded() from None
        raise
    except asyncio.CancelledError:
        if _cancelled_here():
            raise
        raise StageCrashed("a stage gave the request up") from None


def _cancelled_here() -> bool:
    """Whether this very task is being cancelled, rather than the work it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
