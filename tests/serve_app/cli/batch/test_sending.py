"""Patience with a server: what is tried again, when, and for how long."""

from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import pytest

from serve_app.cli.batch.sending import Sender
from serve_app.cli.failure import Failure

REPLY = {"answer": "red"}
BUSY = {"error": {"message": "busy", "type": "overloaded_error", "param": None, "code": "overloaded"}}
Answer = httpx.Response | httpx.TransportError


@dataclass
class Clock:
    """Time that passes only where somebody sleeps."""

    now: float = 0.0
    pauses: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def sender(clock: Clock, answer: Callable[[int], Answer]) -> Sender:
    """Asks a server that gives ``answer(n)`` to the n-th request."""
    asked: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        told = answer(len(asked) - 1)
        if isinstance(told, Exception):
            raise told
        return told

    client = httpx.AsyncClient(base_url="http://test", transport=httpx.MockTransport(handle))
    return Sender([client], 60.0, sleep=clock.sleep, clock=lambda: clock.now, chance=lambda: 0.0)


def busy(status: int = 429, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=BUSY, headers={k.replace("_", "-"): v for k, v in headers.items()})


async def test_a_reply_is_handed_on() -> None:
    clock = Clock()
    assert await sender(clock, lambda n: httpx.Response(200, json=REPLY)).send(b"{}") == REPLY
    assert clock.pauses == []


@pytest.mark.parametrize("status", [400, 413, 500, 504])
async def test_an_error_that_stays_is_not_tried_again(status: int) -> None:
    clock = Clock()
    assert await sender(clock, lambda n: httpx.Response(status, json=BUSY)).send(b"{}") == BUSY
    assert clock.pauses == []


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_server_is_asked_again_not_before_it_wants(status: int) -> None:
    clock = Clock()
    answers = [busy(status, retry_after="7"), busy(status), httpx.Response(200, json=REPLY)]
    assert await sender(clock, lambda n: answers[n]).send(b"{}") == REPLY
    assert clock.pauses[0] >= 7
    assert len(clock.pauses) == 2


async def test_patience_ends_with_the_servers_error() -> None:
    clock = Clock()
    asked = sender(clock, lambda n: busy())
    assert await asked.send(b"{}") == BUSY
    assert 0 < clock.now <= asked.patience_s


@pytest.mark.parametrize("told", ["99999", "Wed, 21 Oct 2026 07:28:00 GMT", "-5", "1e9", "\u0663"])
async def test_whatever_retry_after_says_patience_is_bound(told: str) -> None:
    clock = Clock()
    asked = sender(clock, lambda n: httpx.Response(429, json=BUSY, headers=[(b"retry-after", told.encode())]))
    assert await asked.send(b"{}") == BUSY
    assert clock.now <= asked.patience_s


async def test_those_refused_together_do_not_come_back_together() -> None:
    clocks = [Clock(), Clock()]
    for clock, chance in zip(clocks, (0.0, 1.0), strict=True):
        asked = sender(clock, lambda n: busy(retry_after="4") if n == 0 else httpx.Response(200, json=REPLY))
        asked.chance = lambda chance=chance: chance  # type: ignore[misc]
        await asked.send(b"{}")
    assert [clock.now for clock in clocks] == [4.0, 5.0]


@pytest.mark.parametrize(
    "error", [httpx.ReadError("x"), httpx.RemoteProtocolError("x"), httpx.ReadTimeout("x")]
)
async def test_a_broken_connection_is_tried_again(error: httpx.TransportError) -> None:
    answers = [error, httpx.Response(200, json=REPLY)]
    assert await sender(Clock(), lambda n: answers[n]).send(b"{}") == REPLY


async def test_a_request_that_always_breaks_the_connection_fails_alone() -> None:
    answer = await sender(Clock(), lambda n: httpx.ReadError("x")).send(b"{}")
    assert answer["error"]["code"] == "broken_off"


async def test_a_server_that_stays_away_ends_the_batch() -> None:
    clock = Clock()
    asked = sender(clock, lambda n: httpx.ConnectError("x"))
    with pytest.raises(Failure, match="no server answers at http://test"):
        await asked.send(b"{}")
    assert clock.now > asked.patience_s / 2


@pytest.mark.parametrize("content", [b"<html>", b"[]", b"\xff"])
async def test_another_kind_of_server_is_an_error_of_the_line(content: bytes) -> None:
    answer = await sender(Clock(), lambda n: httpx.Response(200, content=content)).send(b"{}")
    assert answer["error"]["code"] == "unknown_answer"
