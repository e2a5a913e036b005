"""The way of a request: texture stage, then generation stage, under one deadline.

It knows the stages by two Protocols only, neither processes nor HTTP. Errors pass through typed;
a stage whose process died raises ``StageCrashed``. What has not begun to answer is then asked once more.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from typing import Protocol, TypeVar

from arr_coc.answers import Delta, Report
from arr_coc.errors import ArrCocError, EngineClosed
from arr_coc.room import Room
from arr_coc.status import EngineStatus
from arr_coc.types import Ask, TexturedPicture
from serve_app.admission import AdmissionConfig, Door, Turn, deadline_exceeded
from serve_app.data_url import Picture, RemotePicture, not_allowed
from serve_app.errors import StageCrashed

_log = logging.getLogger(__name__)
_GONE = (StageCrashed, EngineClosed)  # this replica cannot answer; another could
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

    async def expect(self, model: str) -> None:
        """Told that a request for ``model`` is being prepared; returns at once."""

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
        *,
        several_engines: bool = False,
    ) -> None:
        """``weigh`` tells the bytes that an encoded picture decodes to; so many are held of ``room``
        while its request is under way. It may raise InvalidRequest. Without ``fetch`` no picture is
        fetched from anywhere. With ``several_engines`` a request whose engine is gone is handed to
        another one, once: one that is itself the reason must not end them all."""
        self._texture = texture
        self._generation = generation
        self._door = door or Door(AdmissionConfig())
        self._room = room or Room(2**30)
        self._weigh = weigh
        self._fetch = fetch
        self._several_engines = several_engines
        self._absent: frozenset[str] = frozenset()  # models that are not in memory, as last heard of
        self._telling: set[asyncio.Task[None]] = set()

    @property
    def draining(self) -> bool:
        return self._door.closed

    @property
    def in_flight(self) -> int:
        return self._door.in_flight

    def admit(self, tenant: str = "", within_s: float | None = None) -> Turn:
        """A place in flight, held while its context is open; its deadline runs from now on, and is no later
        than ``within_s`` seconds from now.

        Raises Overloaded, RateLimited or Draining.
        """
        return self._door.admit(tenant, within_s=within_s)

    async def drain(self, timeout_s: float) -> bool:
        """Refuses new work from now on and waits, at most ``timeout_s``, for what is in flight;
        whether all of it ended in time. Calling it again is harmless."""
        self._door.close()
        return await self._door.emptied(timeout_s)

    async def status(self) -> EngineStatus:
        """The generation stage's own snapshot; the door learns from it how many engines there are, and how
        long their queue is."""
        status = await self._generation.status()
        self._door.backlog = status.backlog
        self._door.scale(status.replicas)
        self._absent = frozenset(name for name, state in status.models.items() if state == "absent")
        if status.model in self._absent:
            self._absent |= {""}
        return status

    async def answer(self, turn: Turn, ask: Ask, *images: Picture) -> Report:
        """The whole answer to ``ask`` about its pictures, in the order it shows them; or a typed error."""
        async with self.held(turn, images) as encoded:
            pictures = await self._prepare_all(turn, ask, encoded)

            def attempt() -> Awaitable[Report]:
                return self._generation.answer(_handed_over(ask, turn), *pictures)

            try:
                return await in_time(turn, attempt)
            except _GONE as error:
                self._require_another(error, ask)
                return await in_time(turn, attempt)

    async def stream(self, turn: Turn, ask: Ask, *images: Picture) -> AsyncGenerator[Delta | Report, None]:
        """Deltas, then the report; or a typed error at any point. Closing it cancels the request."""
        async with self.held(turn, images) as encoded:
            pictures = await self._prepare_all(turn, ask, encoded)
            begun = False
            try:
                async with aclosing(self._events(turn, ask, pictures)) as events:
                    async for event in events:
                        begun = True
                        yield event
                return
            except _GONE as error:
                if begun:
                    raise
                self._require_another(error, ask)
            async with aclosing(self._events(turn, ask, pictures)) as events:
                async for event in events:
                    yield event

    async def _events(
        self, turn: Turn, ask: Ask, pictures: Sequence[TexturedPicture]
    ) -> AsyncGenerator[Delta | Report, None]:
        """What one engine answers, up to its report."""
        async with aclosing(self._generation.stream(_handed_over(ask, turn), *pictures)) as events:
            while True:
                try:
                    event = await in_time(turn, events.__anext__)
                except StopAsyncIteration:
                    raise StageCrashed("the generation stage ended before the answer was complete") from None
                yield event
                if isinstance(event, Report):
                    return

    def _require_another(self, error: ArrCocError, ask: Ask) -> None:
        """Raises ``error`` where no other engine is to be asked."""
        if not self._several_engines or self.draining or error.code == "model_unavailable":
            raise error  # a model that one cannot load, no other could
        _log.warning("request %s: its engine is gone (%s); asking another", ask.request_id, error.code)

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
        if images and ask.model in self._absent and not self._several_engines:  # another might be told
            self._announce(ask.model)
        return [await self._prepare(turn, ask, image) for image in images]

    def _announce(self, model: str) -> None:
        """Have ``model`` loaded while the pictures for it are prepared."""
        telling = asyncio.ensure_future(self._generation.expect(model))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)
        telling.add_done_callback(_nothing_lost)

    async def _prepare(self, turn: Turn, ask: Ask, image: bytes) -> TexturedPicture:
        def attempt() -> Awaitable[TexturedPicture]:
            told = replace(_handed_over(ask, turn), backlog=self._door.backlog_of(turn.tenant))
            return self._texture.prepare(told, image)

        try:
            return await in_time(turn, attempt)
        except StageCrashed:  # the stage is pure, and nothing has been sent yet
            return await in_time(turn, attempt)


def _nothing_lost(telling: asyncio.Task[None]) -> None:
    """A request that was not announced is slower, and no more than that."""
    if not telling.cancelled():
        telling.exception()


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
