"""The stages behind Ray's handles.

Owns the translation between Ray's calls and the stages' Protocols: a typed error that crossed
processes comes out as itself, a dead replica as StageCrashed, and a cancelled call is cancelled in
the stage.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.serve.exceptions import BackPressureError, RayServeException, RequestCancelledError
from ray.serve.handle import DeploymentHandle

from arr_coc.answers import Delta, Report
from arr_coc.embedding.types import Embedded, EmbeddingAsk, EmbeddingStatus, Labelled
from arr_coc.errors import ArrCocError, Cancelled, EngineClosed, Overloaded
from arr_coc.status import EngineStatus
from arr_coc.types import Ask, TexturedPicture
from deployments.tracing import traced
from serve_app.errors import StageCrashed
from serve_app.replicas import combined

_ALL_S = 1.5  # for every replica to say something


class TextureHandle:
    """The texture stage, wherever its replicas are."""

    def __init__(self, handle: "DeploymentHandle[Any]") -> None:
        self._handle = handle

    async def prepare(self, ask: Ask, image: bytes) -> TexturedPicture:
        picture: TexturedPicture = await _call(self._handle.prepare.remote(traced(ask), image))
        return picture


class GenerationHandle:
    """The generation stage, in its replica or in ``several``."""

    def __init__(self, handle: "DeploymentHandle[Any]", *, several: bool) -> None:
        self._handle = handle
        self._several = several
        self._streams = handle.options(stream=True)

    async def answer(self, ask: Ask, *pictures: TexturedPicture) -> Report:
        report: Report = await _call(self._handle.answer.remote(traced(ask), *pictures))
        return report

    async def stream(self, ask: Ask, *pictures: TexturedPicture) -> AsyncGenerator[Delta | Report, None]:
        response: Any = self._streams.stream.remote(traced(ask), *pictures)
        try:
            with translated():
                async for event in response:
                    yield event
        finally:
            response.cancel()  # nothing happens where it has ended

    async def expect(self, model: str) -> None:
        await _call(self._handle.expect.remote(model))

    async def status(self) -> EngineStatus:
        if self._several:
            return await self._status_of_all()
        status: EngineStatus = await _call(self._handle.status.remote())
        return status

    async def _status_of_all(self) -> EngineStatus:
        replies = await everybody(self._handle, "status")
        statuses = [reply for reply in replies if isinstance(reply, EngineStatus)]
        if not any(status.ready for status in statuses):
            for reply in replies:
                if isinstance(reply, TimeoutError):  # that one may be ready: nothing is known
                    raise reply
        if not statuses:
            raise EngineClosed("No engine is ready.", code="not_ready")
        return combined(statuses)


class EmbeddingHandle:
    """The embedding stage, in its replica."""

    def __init__(self, handle: "DeploymentHandle[Any]") -> None:
        self._handle = handle

    async def embed(self, ask: EmbeddingAsk) -> Embedded:
        embedded: Embedded = await _call(self._handle.embed.remote(traced(ask)))
        return embedded

    async def label(self, ask: EmbeddingAsk) -> Labelled:
        labelled: Labelled = await _call(self._handle.label.remote(traced(ask)))
        return labelled

    async def status(self) -> EmbeddingStatus:
        status: EmbeddingStatus = await _call(self._handle.status.remote())
        return status


async def everybody(handle: "DeploymentHandle[Any]", method: str) -> list[Any]:
    """What each replica of a stage says; exceptions of those that fail, nothing where there is none.

    One that says nothing, as one does whose node has lost its network, counts as a TimeoutError and keeps
    nobody else from being heard. Raises TimeoutError where Ray does not tell in time which there are.
    """
    until = asyncio.get_running_loop().time() + _ALL_S

    async def said(replica: Any) -> Any:
        async with asyncio.timeout_at(until):
            return await replica.get_async()

    try:
        async with asyncio.timeout_at(until):  # ``results_async`` has one limit for all, and then no result
            asked = await handle.broadcast(method)._fetch_replica_results_async()
    except RayServeException:
        return []
    return await asyncio.gather(*map(said, asked), return_exceptions=True)


async def _call(response: Any) -> Any:
    """The result of one call to a stage; cancels it there when it is cancelled here."""
    try:
        with translated():
            return await response
    except asyncio.CancelledError:
        response.cancel()
        raise


@contextmanager
def translated() -> Iterator[None]:
    """Turns whatever Ray raises into this project's errors."""
    try:
        yield
    except RequestCancelledError:
        raise Cancelled("The request was cancelled.") from None
    except BackPressureError:
        raise Overloaded("Too many requests are waiting for a stage.") from None
    except RayTaskError as error:
        if isinstance(error.cause, ArrCocError):
            raise error.cause from None
        raise
    except (RayActorError, RayServeException, grpc.RpcError) as error:
        raise StageCrashed("A stage's process ended while it had the request.") from error
    except RayError as error:
        raise StageCrashed("A stage cannot be reached.") from error
