"""Asks as a load says, and notes what became of each request. Knows no transport: it is given ``ask``."""

import asyncio
import os
import resource
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from load_tests.bench.loads import Load
from load_tests.bench.mixes import Request, Requests
from load_tests.bench.outcome import LOST, Cell, Outcome

DRAIN_S = 90.0  # for what is in flight when no more is asked with so many clients
OPEN_DRAIN_S = 20.0  # and in an open load, which a server may not keep up with
WARM_UP_CLIENTS = 32
WARM_UP_S = 2.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server said: its status, the text, its number of tokens, and when the first piece came, on
    the clock of ``time.perf_counter``."""

    status: int
    text: str = ""
    tokens: int = 0
    first: float | None = None


Ask = Callable[[Request], Awaitable[Reply]]
Grade = Callable[[str, str], bool]  # answer, right answer


class Driver:
    """Drives one cell; ``first`` is the number of its first request."""

    def __init__(self, ask: Ask, requests: Requests, first: int, grade: Grade) -> None:
        self._ask = ask
        self._requests = requests
        self._next, self._step = first, 1
        self._grade = grade
        self._answers: list[tuple[Outcome, str, str]] = []
        self._began = 0.0

    async def run(self, load: Load, seconds: float, times: Iterable[float], offered: float) -> Cell:
        """Ask for ``seconds``, or at ``times`` where the load is open, and wait for the answers."""
        cpu, self._began = _cpu_s(), time.perf_counter()
        if load.open:
            await self._open(times)
        elif load.kind == "batch":
            await self._wait([self._send() for _ in range(int(load.value))], DRAIN_S)
        else:
            await self._wait([self._client(seconds) for _ in range(int(load.value))], seconds + DRAIN_S)
        share = (_cpu_s() - cpu) / (time.perf_counter() - self._began) / (os.cpu_count() or 1)
        return Cell(self._graded(), seconds, offered, share)

    async def warm_up(self) -> None:
        """Many clients for a short while, for whoever learns how to batch. They ask backwards from the first
        request of all, and are not counted."""
        first, self._next, self._step = self._next, -1, -1
        self._began = time.perf_counter()
        await self._wait([self._client(WARM_UP_S) for _ in range(WARM_UP_CLIENTS)], WARM_UP_S + DRAIN_S)
        self._next, self._step = first, 1
        self._answers.clear()

    async def _client(self, seconds: float) -> None:
        while self._now() < seconds:
            await self._send()

    async def _open(self, times: Iterable[float]) -> None:
        sent = []
        for at in times:
            await asyncio.sleep(at - self._now())
            sent.append(asyncio.create_task(self._send()))
        await self._wait(sent, OPEN_DRAIN_S)

    async def _wait(self, sent: Iterable[Awaitable[None]], limit_s: float) -> None:
        """Until all are over; what is not by then is given up."""
        tasks = [asyncio.ensure_future(one) for one in sent]
        if not tasks:
            return
        _, left = await asyncio.wait(tasks, timeout=limit_s)
        for task in left:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended

    async def _send(self) -> None:
        request = self._requests[self._next]
        self._next += self._step
        sent, reply = time.perf_counter(), Reply(LOST)
        try:
            reply = await self._ask(request)
        finally:
            done = time.perf_counter()
            complete = not request.forced or reply.tokens == request.max_tokens
            status = reply.status if reply.status != 200 or complete else LOST
            first = reply.first or done
            outcome = Outcome(sent - self._began, done - sent, first - sent, status, reply.tokens, False)
            self._answers.append((outcome, reply.text, request.expected))

    def _graded(self) -> tuple[Outcome, ...]:
        """Once the clock has stopped."""
        return tuple(
            Outcome(
                o.sent_s, o.seconds, o.first_s, o.status, o.tokens, o.answered and self._grade(text, expected)
            )
            for o, text, expected in self._answers
        )

    def _now(self) -> float:
        return time.perf_counter() - self._began


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
