"""One request that asks for work, on its connection: a place, a body, an answer, or a client gone.

Everything a request holds is held by the frame of one call here and given back when it returns,
after the last byte of the response, however it ends.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from arr_coc.errors import Cancelled, InvalidRequest
from serve_app.admission import Turn
from serve_app.body import BodyReader, media_type, parse_body
from serve_app.record import Record, record_of

Answer = Callable[[Request, Turn, object], Awaitable[Response]]
Admit = Callable[[str, float | None], Turn]
"""Gives a tenant a place, for so many seconds at most where its client says how long it waits."""
TIMEOUT_HEADER = "x-request-timeout"
LEAST_TIMEOUT_S = 1
LARGE_BYTES = 2**20
GRACE_S = 5.0  # after the deadline, for a client to take in the last of its response


class WorkRoute:
    """ASGI endpoint: admits, reads and parses the body, and sends what ``answer`` makes of it.

    ``answer`` gets the decoded body, of one of the ``media_types``. When the client goes away, it or
    the response that is being sent is cancelled.
    """

    def __init__(
        self, answer: Answer, admit: Admit, reader: BodyReader, media_types: tuple[str, ...]
    ) -> None:
        self._answer = answer
        self._admit = admit
        self._reader = reader
        self._media_types = media_types

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        with self._admit(record_of(scope).tenant, _stated_s(request)) as turn:
            kind = media_type(request, *self._media_types)
            async with self._reader.read(request, turn.tenant) as body:
                fields = await self._parsed(request, kind, body)
                body.clear()
                work = self._respond(request, turn, fields, send)
                await _while_connected(receive, work, record_of(scope))

    async def _parsed(self, request: Request, kind: str, body: bytearray) -> object:
        """Large bodies are parsed in a thread: other clients' streams go on meanwhile."""
        if len(body) < LARGE_BYTES:
            return parse_body(request, kind, body)
        return await asyncio.to_thread(parse_body, request, kind, body)

    async def _respond(self, request: Request, turn: Turn, fields: object, send: Send) -> None:
        response = await self._answer(request, turn, fields)
        await response(request.scope, request.receive, _patient(send, turn))


def _stated_s(request: Request) -> float | None:
    """How long the client says it waits for the whole answer. Raises InvalidRequest where that is no time."""
    stated = request.headers.get(TIMEOUT_HEADER)
    if stated is None:
        return None
    with suppress(ValueError):
        if LEAST_TIMEOUT_S <= (seconds := float(stated)) < math.inf:
            return seconds
    raise InvalidRequest(f"must be a number of seconds, {LEAST_TIMEOUT_S} at least", param=TIMEOUT_HEADER)


def _patient(send: Send, turn: Turn) -> Send:
    """A client that does not read holds its place no longer than one that does."""

    async def patient(message: Message) -> None:
        try:
            async with asyncio.timeout(turn.left_s() + GRACE_S):
                await send(message)
        except TimeoutError:
            raise Cancelled("the client does not read its response") from None

    return patient


async def _while_connected(receive: Receive, work: Coroutine[Any, Any, None], record: Record) -> None:
    """Runs ``work`` to its end, or cancels it and raises Cancelled when the client goes away first."""
    task = asyncio.create_task(work)
    gone = asyncio.create_task(_disconnected(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done() and not record.complete:  # servers also say "gone" after the last byte
            raise Cancelled("the client went away")
        await task
    finally:
        task.cancel()
        gone.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(task, gone, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
