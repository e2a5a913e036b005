"""One thread that owns the queue of texts and pictures and runs them through the model.

Jobs and their giving up arrive on one queue; results leave in one wake-up of the event loop a forward. A
batch keeps nothing for the next. It knows neither what is embedded nor who asks.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arr_coc.embedding.config import EmbeddingConfig
from arr_coc.embedding.observer import EmbeddingObserver
from arr_coc.embedding.schedule import Forward, Idle, Schedule
from arr_coc.embedding.types import Kind
from arr_coc.engine.isolation import attempt
from arr_coc.engine.worker import Worker
from arr_coc.errors import ArrCocError, Cancelled, DeadlineExceeded, EngineClosed, ModelFault
from arr_coc.status import Backlog

log = logging.getLogger(__name__)
Vector = NDArray[np.float32]
Run = Callable[[Kind, Sequence[NDArray[Any]]], NDArray[np.float32]]


@dataclass(eq=False, slots=True)
class Job:
    """A text or a picture on its way to its vector. Made on an event loop, which waits for ``vector``."""

    kind: Kind
    content: NDArray[Any]
    price: int
    tenant: str
    deadline: float  # time.monotonic()
    submitted: float = field(default_factory=time.monotonic)
    vector: asyncio.Future[Vector] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Batcher(Worker):
    """Micro-batches. All methods but ``step`` may be called from any thread."""

    def __init__(self, run: Run, config: EmbeddingConfig, observer: EmbeddingObserver) -> None:
        """``run`` gives a row for each content of one kind."""
        super().__init__("embedding")
        self._run = run
        self._observer = observer
        self._schedule: Schedule[Job] = Schedule(config)
        self._results: list[tuple[Job, Vector | ArrCocError]] = []
        self._forwarded: list[Job] = []  # what the current forward is about
        self.backlog = Backlog()

    def rehearse(self, kind: Kind, contents: Sequence[NDArray[Any]], price: int) -> None:
        """Learn what such a forward costs; only before ``start``."""
        self._run(kind, contents)  # the first of a shape takes longer
        started = time.monotonic()
        self._run(kind, contents)
        self._schedule.ran(kind, len(contents) * price, time.monotonic() - started)

    # What other threads may call

    def submit(self, jobs: Sequence[Job]) -> None:
        """Queue the jobs of one request; each one's ``vector`` tells the rest."""
        self._command(lambda: self._accept(jobs))

    def give_up(self, jobs: Sequence[Job]) -> None:
        """Nobody waits for these any more."""
        self._command(lambda: self._end(self._queued(jobs), Cancelled("cancelled")))

    @property
    def running(self) -> int:
        return len(self._forwarded)

    @property
    def waiting(self) -> int:
        return len(self._schedule.waiting) + self._commands.qsize()

    # The thread

    def _fail_all(self) -> None:
        self._end([*self._schedule.waiting, *self._forwarded], ModelFault("the embedding stage failed"))

    def step(self) -> None:
        """Take commands, plan, run, hand out."""
        now = self._begin()
        overdue = [job for job in self._schedule.waiting if job.deadline <= now]
        self._end(overdue, DeadlineExceeded("the deadline passed"))
        match self._schedule.plan(now):
            case Forward(jobs):
                self._forward(jobs)
                self._hand_out()
            case Idle(seconds):
                self._idle(seconds)
        self._step_started = None

    def _accept(self, jobs: Sequence[Job]) -> None:
        if self._closed:
            self._results += [(job, EngineClosed("the server is shutting down")) for job in jobs]
        else:
            self._schedule.submit(jobs, time.monotonic())

    def _close(self) -> None:
        self._closed = True
        self._end(self._schedule.waiting, EngineClosed("the server is shutting down"))

    def _queued(self, jobs: Sequence[Job]) -> list[Job]:
        wanted = set(map(id, jobs))
        return [job for job in self._schedule.waiting if id(job) in wanted]

    def _forward(self, jobs: list[Job]) -> None:
        self._forwarded, cut_at = jobs, time.monotonic()
        for job, result in attempt(jobs, self._run_rows):
            self._settle(job, result, cut_at)

    def _run_rows(self, jobs: Sequence[Job]) -> list[Vector]:
        kind, started = jobs[0].kind, time.monotonic()
        vectors = self._run(kind, [job.content for job in jobs])
        seconds = time.monotonic() - started
        padded = len(jobs) * max(job.price for job in jobs)
        self._schedule.ran(kind, padded, seconds)
        self._observer.batch(kind, len(jobs), sum(job.price for job in jobs), padded, seconds)
        return list(vectors)

    def _settle(self, job: Job, result: Vector | Exception, cut_at: float) -> None:
        ended: Vector | ArrCocError
        if isinstance(result, Exception):
            log.error("a %s could not be embedded", job.kind, exc_info=result)
            ended = ModelFault("the model failed on this input")
        elif not np.isfinite(result).all():
            ended = ModelFault("the model gave no finite vector")
        else:
            ended = result
        self._results.append((job, ended))
        outcome = "error" if isinstance(ended, ArrCocError) else "ok"
        self._observer.ended(job.kind, outcome, cut_at - job.submitted)

    def _end(self, jobs: Sequence[Job], error: ArrCocError) -> None:
        """End jobs that wait."""
        self._schedule.drop(set(map(id, jobs)))
        now = time.monotonic()
        for job in jobs:
            self._results.append((job, error))
            self._observer.ended(job.kind, _OUTCOMES.get(type(error), "error"), now - job.submitted)

    def _hand_out(self) -> None:
        self._forwarded = []
        results, self._results = self._results, []
        self.backlog = self._schedule.backlog
        self._observer.waiting(len(self._schedule.waiting))
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Job, Vector | ArrCocError]]] = {}
        for job, result in results:
            by_loop.setdefault(job.vector.get_loop(), []).append((job, result))
        for loop, part in by_loop.items():
            with suppress(RuntimeError):  # a closed loop has nobody left who waits
                loop.call_soon_threadsafe(_deliver, part)


_OUTCOMES: dict[type[ArrCocError], str] = {Cancelled: "cancelled", DeadlineExceeded: "deadline"}


def _deliver(results: Sequence[tuple[Job, Vector | ArrCocError]]) -> None:
    for job, result in results:
        if job.vector.done():  # nobody waits any more
            continue
        if isinstance(result, ArrCocError):
            job.vector.set_exception(result)
        else:
            job.vector.set_result(result)
