"""Which texts, or which pictures, go through the model next. Pure policy: it sees jobs as numbers.

The batch is cut when the accelerator is free, never earlier, after the engine's own window. A batch is of
one kind, since texts and pictures have a tower each; tenants take turns that give them equal numbers of
tokens. What does not fit keeps its place.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, get_args

from arr_coc.embedding.config import EmbeddingConfig
from arr_coc.embedding.types import Kind
from arr_coc.engine.costs import Costs
from arr_coc.engine.throughput import Throughput
from arr_coc.engine.window import Window
from arr_coc.fairness import Shares
from arr_coc.status import Backlog


class Job(Protocol):
    """What the schedule needs to know of a text or a picture."""

    @property
    def tenant(self) -> str:
        """Who asks."""

    @property
    def kind(self) -> Kind:
        """Which tower it goes through."""

    @property
    def price(self) -> int:
        """Positions that it takes there, alone in a batch."""

    @property
    def submitted(self) -> float:
        """When it began to wait."""


J = TypeVar("J", bound=Job)


@dataclass(frozen=True, slots=True)
class Forward(Generic[J]):
    """Run these, all of one kind, in one forward."""

    jobs: list[J]


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing to run for ``seconds``, or until something arrives where None."""

    seconds: float | None


class _Tower:
    """What one kind of forwards costs, and how long it waits for company."""

    def __init__(self, config: EmbeddingConfig) -> None:
        self.costs = Costs()
        adaptive = config.adaptive_window and config.window_ms > 0
        self.window = Window(config.window_ms / 1e3, self.costs, adaptive=adaptive)

    def padding_worth_a_forward(self) -> float:
        """Tokens of padding that cost what every forward costs, whatever is in it."""
        fixed = self.costs.prefill_s(0, 0)
        token = (self.costs.prefill_s(1000, 0) - fixed) / 1000
        return fixed / token if token > 0 else math.inf


class Schedule(Generic[J]):
    """The queue, and the order in which it is served."""

    def __init__(self, config: EmbeddingConfig) -> None:
        self._config = config
        self._towers: dict[Kind, _Tower] = {kind: _Tower(config) for kind in get_args(Kind)}
        self._throughput = Throughput()
        self._shares = Shares()
        self.waiting: list[J] = []

    @property
    def backlog(self) -> Backlog:
        """What waits, and how fast it is worked off."""
        return Backlog(sum(map(_price, self.waiting)), self._throughput.token_s)

    def submit(self, jobs: Sequence[J], now: float) -> None:
        """Queue the new jobs of one request."""
        for kind in {job.kind for job in jobs}:
            self._towers[kind].window.arrived(now)
        self.waiting += jobs

    def drop(self, gone: set[int]) -> None:
        """Forget the jobs whose ``id()`` is in ``gone``."""
        self.waiting = [job for job in self.waiting if id(job) not in gone]

    def ran(self, kind: Kind, padded_tokens: int, seconds: float) -> None:
        """Learn what a forward took."""
        self._towers[kind].costs.prefilled(padded_tokens, 0, seconds)

    def plan(self, now: float) -> "Forward[J] | Idle":
        """The next thing to do."""
        by_kind: dict[Kind, list[J]] = {}
        for job in self.waiting:
            by_kind.setdefault(job.kind, []).append(job)
        waits = {kind: self._wait(kind, jobs, now) for kind, jobs in by_kind.items()}
        due = [job for job in self.waiting if waits[job.kind] == 0.0]
        if due:
            return self._cut(self._shares.in_turn(due, price=_price), now)
        return Idle(min(waits.values(), default=None))

    def _wait(self, kind: Kind, jobs: Sequence[J], now: float) -> float:
        full = len(jobs) >= self._config.max_batch or sum(map(_price, jobs)) >= self._config.batch_tokens
        if full:
            return 0.0
        return self._towers[kind].window.remaining(now, jobs[0].submitted, len(jobs), running=0)

    def _cut(self, queue: Sequence[J], now: float) -> "Forward[J]":
        batch = self._fitting(queue)
        for job in batch:
            self._shares.charge(job.tenant, job.price)
        self.drop(set(map(id, batch)))
        self._towers[batch[0].kind].window.cut(now)
        self._throughput.cut(now, sum(map(_price, batch)), left=bool(self.waiting))
        return Forward(batch)

    def _fitting(self, queue: Sequence[J]) -> list[J]:
        """The first job and all later ones while the padding of all costs less than another forward would."""
        kind, longest = queue[0].kind, queue[0].price
        worth = self._towers[kind].padding_worth_a_forward()
        batch, real = [queue[0]], queue[0].price
        for job in queue[1:]:
            if len(batch) == self._config.max_batch:
                break
            wider = max(longest, job.price)
            together = (len(batch) + 1) * wider
            padding = together - real - job.price
            if job.kind == kind and together <= self._config.batch_tokens and padding <= worth:
                batch.append(job)
                longest, real = wider, real + job.price
        return batch


def _price(job: Job) -> int:
    return job.price
