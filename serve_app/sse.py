"""Server-sent events of one answer.

    data: {"text": "..."}          as tokens become final
    data: {...}                    all of the reply but the answer
    data: [DONE]                   only after a complete answer

or, when it fails on the way, ``event: error`` with an error body, and no ``[DONE]``. It does not
know where the deltas come from.
"""

import json
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from arr_coc.errors import Cancelled
from arr_coc.types import Delta, Report
from serve_app.envelope import record_of
from serve_app.errors import describe

_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",  # a proxy in between must not gather events
}
_log = logging.getLogger(__name__)


class EventStream(Response):
    """Sends ``first``, then the rest of ``events``; closes ``events`` however it ends."""

    def __init__(
        self,
        first: Delta | Report,
        events: AsyncGenerator[Delta | Report, None],
        closing: Callable[[Report], dict[str, Any]],
    ) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._first = first
        self._events = events
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with aclosing(self._events):
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                await self._send(self._first, send)
                async for event in self._events:
                    await self._send(event, send)
        except Cancelled:
            raise
        except Exception as error:
            reply = describe(error)
            if reply.code == "internal_error":
                _log.error("unforeseen error in a stream", exc_info=error)
            record_of(scope).failed(reply)
            await _write(send, b"event: error\n" + _data(reply.payload))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, event: Delta | Report, send: Send) -> None:
        if isinstance(event, Delta):
            await _write(send, _data({"text": event.text}))
        else:
            await _write(send, _data(self._closing(event)) + b"data: [DONE]\n\n")


def _data(value: object) -> bytes:
    # ASCII, because some clients split lines at U+2028 and its kin too
    return b"data: " + json.dumps(value, allow_nan=False).encode() + b"\n\n"


async def _write(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})
