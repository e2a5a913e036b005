"""One request of a batch to a server, with patience where the server asks for it."""

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from serve_app.cli.client import Fields, error_of, unreachable
from serve_app.cli.failure import UNTRIED, Failure

_RETRIED = (429, 503)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0
_SPREAD = 0.25  # of a pause: those who were refused together shall not come back together
_BROKEN_OFF = {
    "message": "the server broke off before it answered",
    "type": "unavailable_error",
    "param": None,
    "code": "broken_off",
}


@dataclass
class Sender:
    """Sends request bodies to ``POST /vqa``, as many at once as it has clients.

    One client of many connections would look through all of them, for each request anew."""

    clients: list[httpx.AsyncClient]  # of one server; those that are free
    patience_s: float  # with a server that is busy, starting, or being replaced
    sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random  # 0..1

    async def send(self, body: bytes) -> Fields:
        """The reply, or ``{"error": ...}``.

        429, 503 and broken connections are tried again, not before ``Retry-After``, within ``patience_s``.
        Raises Failure where the server could not be connected to in that time, or wants another key: that is
        no line's fault.
        """
        client = self.clients.pop()
        try:
            return await self._send(client, body)
        finally:
            self.clients.append(client)

    async def _send(self, client: httpx.AsyncClient, body: bytes) -> Fields:
        until = self.clock() + self.patience_s
        for attempt in itertools.count():
            unconnected, answer, asked_s = False, dict[str, Any](error=_BROKEN_OFF), 0.0
            try:
                response = await client.post(
                    "/vqa", content=body, headers={"content-type": "application/json"}
                )
                answer = _answer(response)
                if response.status_code == 401:
                    raise Failure(answer["error"]["message"], UNTRIED)
                if response.status_code not in _RETRIED:
                    return answer
                asked_s = _retry_after(response)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                unconnected = True
            except httpx.TransportError:
                pass
            backoff_s = min(_FIRST_PAUSE_S * 2**attempt, _LONGEST_PAUSE_S)
            pause_s = max(asked_s, backoff_s) * (1 + _SPREAD * self.chance())
            if self.clock() + pause_s > until:
                if unconnected:
                    raise unreachable(str(client.base_url))
                return answer
            await self.sleep(pause_s)
        raise AssertionError("an endless loop")


def _answer(response: httpx.Response) -> Fields:
    if response.status_code == 200:
        try:
            reply = response.json()
        except ValueError:
            reply = None
        if isinstance(reply, dict):
            return reply
    return {"error": error_of(response.content, response.status_code)}


def _retry_after(response: httpx.Response) -> float:
    """In seconds; 0 where the server does not tell, or tells a date."""
    told = response.headers.get("retry-after", "")
    return float(told) if told.isascii() and told.isdigit() else 0.0
