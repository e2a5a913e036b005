"""Server-sent events of one answer: opening, deltas as tokens become final, closing, ``[DONE]``.

``[DONE]`` follows only a complete answer; one that fails on the way ends in an error event
instead. It knows neither where the deltas come from nor how an API spells its events.
"""

import json
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from arr_coc.answers import Delta, Report
from arr_coc.errors import Cancelled
from serve_app.errors import ErrorReply, describe
from serve_app.record import record_of

_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",  # a proxy in between must not gather events
}
_log = logging.getLogger(__name__)


class Spelling(Protocol):
    """How an API spells a stream: whole events, as `event` makes them, one after the other."""

    def opening(self) -> bytes:
        """What comes before the first delta."""

    def delta(self, delta: Delta) -> bytes:
        """A piece of the answer."""

    def closing(self, report: Report) -> bytes:
        """What comes after the last delta of a complete answer, before ``[DONE]``."""

    def error(self, reply: ErrorReply) -> bytes:
        """What ends a stream that fails."""


class EventStream(Response):
    """Sends ``first``, then the rest of ``events``; closes ``events`` however it ends."""

    def __init__(
        self, first: Delta | Report, events: AsyncGenerator[Delta | Report, None], spelling: Spelling
    ) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._first = first
        self._events = events
        self._spelling = spelling

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with aclosing(self._events):
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                await _write(send, self._spelling.opening() + self._spelled(self._first))
                async for item in self._events:
                    await _write(send, self._spelled(item))
        except Cancelled:
            raise
        except Exception as error:
            reply = describe(error)
            if reply.code == "internal_error":
                _log.error("unforeseen error in a stream", exc_info=error)
            record_of(scope).failed(reply)
            await _write(send, self._spelling.error(reply))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _spelled(self, item: Delta | Report) -> bytes:
        if isinstance(item, Delta):
            return self._spelling.delta(item)
        return self._spelling.closing(item) + b"data: [DONE]\n\n"


def event(value: object, name: str | None = None) -> bytes:
    """``value`` as one event, in JSON; unnamed ones are messages to an EventSource."""
    # ASCII, because some clients split lines at U+2028 and its kin too
    data = b"data: " + json.dumps(value, allow_nan=False).encode() + b"\n\n"
    return data if name is None else f"event: {name}\n".encode() + data


async def _write(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})
