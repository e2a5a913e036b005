"""What one tenant's flood does to another's waiting, on a clock of its own: the scheduler with costs as
they are on two cores, and clients that ask again when they are answered."""

import heapq
import itertools
import random
import statistics
from dataclasses import dataclass

import pytest

from arr_coc.engine.config import EngineConfig
from arr_coc.engine.plan import Decode, Idle, Prefill
from arr_coc.engine.scheduler import Scheduler

SLOTS, FLOOD, ANSWERS, TOKENS = 32, 160, 25, 32
PREFILL_S, ROW_S = 0.008, 0.004  # of a prefill and of each request in it
STEP_S, TOKEN_S = 0.002, 0.0002  # of a decode step and of each row
WAY_S = 0.010  # to the engine and back
HEAD_START_S = 2.0


@dataclass(eq=False)
class Job:
    tenant: str
    asked: float
    pending: int = 74
    probing: bool = False
    computes: bytes | None = None
    streamed: bool = True
    left: int = TOKENS

    def visual(self, tokens: int) -> int:
        return min(64, tokens)


class World:
    """An engine whose time is given by those costs."""

    def __init__(self) -> None:
        self.now = 0.0
        self.seconds: list[float] = []  # of the answers to "other"
        self._scheduler: Scheduler[Job] = Scheduler(EngineConfig(slots=SLOTS))
        self._running: list[Job] = []
        self._coming: list[tuple[float, int, Job]] = []
        self._number = itertools.count()
        self._chance = random.Random(0)

    def ask(self, tenant: str, at: float) -> None:
        arrives = at + WAY_S * (1 + 0.5 * self._chance.random())
        heapq.heappush(self._coming, (arrives, next(self._number), Job(tenant, at)))

    def step(self) -> None:
        while self._coming and self._coming[0][0] <= self.now:
            arrived, _, job = heapq.heappop(self._coming)
            self._scheduler.submit(job, arrived)
        match self._scheduler.plan(self.now, len(self._running), SLOTS - len(self._running)):
            case Prefill(jobs):
                took = PREFILL_S + ROW_S * len(jobs)
                self._scheduler.costs.prefilled(sum(job.pending for job in jobs), 64 * len(jobs), took)
                self._running += jobs
                self._tell(jobs, took)
            case Decode():
                took = STEP_S + TOKEN_S * len(self._running)
                self._scheduler.costs.decoded(len(self._running), took)
                self._tell(self._running.copy(), took)
            case Idle(seconds):
                arrives = self._coming[0][0]
                self.now = arrives if seconds is None else min(arrives, self.now + seconds)

    def _tell(self, jobs: list[Job], took: float) -> None:
        """Each of ``jobs`` has a token more."""
        self.now += took
        for job in jobs:
            job.left -= 1
            self._scheduler.decoded(job)
            if not job.left:
                self._running.remove(job)
                self._scheduler.left(job, self.now)
                if job.tenant == "other":
                    self.seconds.append(self.now - job.asked)
                self.ask(job.tenant, self.now)


def p95(clients: int, flooding: int) -> float:
    """Seconds of the other's answers, ``clients`` at a time, beside a flood of so many."""
    world = World()
    for _ in range(flooding):
        world.ask("flood", 0.0)
    for _ in range(clients):
        world.ask("other", HEAD_START_S)
    while len(world.seconds) < clients * ANSWERS:
        world.step()
    return statistics.quantiles(world.seconds, n=20)[-1]


@pytest.mark.parametrize(("clients", "at_most"), [(16, 2.2), (4, 3.4)])
def test_a_flood_of_ten_times_its_share_slows_another_tenant_no_more_than_full_slots_do(
    clients: int, at_most: float
) -> None:
    assert p95(clients, FLOOD) <= at_most * p95(clients, 0)
