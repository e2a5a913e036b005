"""What the accelerator does next. Pure policy: it sees jobs as numbers and runs nothing.

The plan is made when the accelerator is free, never earlier, so a batch holds whatever has arrived
by then. Prefills of one kind and of like length go together; what does not fit keeps its place. Between
two prefills those who decode make a step, so that a long queue does not stop the answers that run.
Tenants take turns that give them equal numbers of tokens; a single one's jobs stay in their order.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from arr_coc.engine.backlog import Backlog
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.costs import Costs
from arr_coc.engine.refill import Refill
from arr_coc.engine.window import Window
from arr_coc.fairness import Shares

LATELY_S = 1.0  # so long after its last job a tenant is expected to ask again
LIKE = 1.5  # longest over shortest of one prefill batch; beyond, padding costs more than batching saves


class Job(Protocol):
    """What the scheduler needs to know of a sequence."""

    @property
    def tenant(self) -> str:
        """Who asks."""

    @property
    def pending(self) -> int:
        """Tokens its next prefill has."""

    @property
    def probing(self) -> bool:
        """Whether its next prefill is a probe."""

    @property
    def computes(self) -> bytes | None:
        """What its next prefill computes that other jobs' need not compute again; None where nothing."""


J = TypeVar("J", bound=Job)


@dataclass(frozen=True, slots=True)
class Prefill(Generic[J]):
    """Prefill these jobs in one forward; those still waiting are given slots first."""

    jobs: list[J]


@dataclass(frozen=True, slots=True)
class Decode:
    """Decode one token of every running job."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing to run for ``seconds``, or until something arrives where None."""

    seconds: float | None


class Scheduler(Generic[J]):
    """Queues, and the order in which they are served."""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self.costs = Costs()
        self._backlog = Backlog()
        self._refill = Refill(config.slots, self.costs)
        self._stepped = 0  # rows of the step that was planned last, and
        self._free = 0  # how many slots were free then
        self._interrupted = False  # by a prefill, since the last step; the next one waits for a step
        self._adaptive = config.adaptive_window and config.window_ms > 0
        self._window = Window(config.window_ms / 1e3, self.costs, adaptive=self._adaptive)
        self._waiting: deque[tuple[float, J]] = deque()
        self._probed: deque[J] = deque()
        self._shares = Shares()
        self._asked: dict[str, float] = {}  # when each tenant last did

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def backlog_tokens(self) -> int:
        """Tokens of the prompts that wait for a slot."""
        return self._price()

    @property
    def backlog_s(self) -> float:
        """Seconds until all that wait now will have left the queue, by how fast it was worked off."""
        return self._backlog.seconds(self._price())

    def jobs(self) -> Iterable[J]:
        """All queued jobs."""
        return [job for _, job in self._waiting] + list(self._probed)

    def submit(self, job: J, now: float) -> None:
        """Queue a new job."""
        self._window.arrived(now)
        self._asked[job.tenant] = now
        self._waiting.append((now, job))

    def resume(self, job: J) -> None:
        """Queue a probed job for its next prefill."""
        self._probed.append(job)

    def decoded(self, job: J) -> None:
        """Charge ``job``'s tenant for one more token of its answer."""
        self._shares.charge(job.tenant, 1)

    def drop(self, gone: set[int]) -> None:
        """Forget the queued jobs whose ``id()`` is in ``gone``."""
        self._waiting = deque(entry for entry in self._waiting if id(entry[1]) not in gone)
        self._probed = deque(job for job in self._probed if id(job) not in gone)

    def plan(self, now: float, running: int, free_slots: int) -> "Prefill[J] | Decode | Idle":
        """The next thing to do with ``running`` decoding jobs and ``free_slots`` free."""
        if self._stepped:
            self._refill.stepped(self._stepped, max(0, free_slots - self._free))
        self._stepped = 0
        if running and self._interrupted:
            return self._step(running, free_slots)
        if self._probed:
            return self._cut_probed()
        wait = self._until_cut(now, running, free_slots)
        if wait == 0.0:
            return self._cut_waiting(now, free_slots)
        return self._step(running, free_slots) if running else Idle(wait)

    def _step(self, running: int, free_slots: int) -> Decode:
        self._stepped, self._free, self._interrupted = running, free_slots, False
        return Decode()

    def _until_cut(self, now: float, running: int, free_slots: int) -> float | None:
        if not self._waiting or not free_slots:
            return None
        if not running and (
            len(self._waiting) >= free_slots or self._price() >= self._config.prefill_token_budget
        ):
            return 0.0
        if self._adaptive and running and len(self._waiting) > free_slots:
            return 0.0 if self._refill.pays(free_slots) else None
        return self._window.remaining(now, self._waiting[0][0], len(self._waiting), running)

    def _price(self) -> int:
        return sum(job.pending for _, job in self._waiting)

    def _cut_waiting(self, now: float, free_slots: int) -> "Prefill[J]":
        waiting = self._shares.in_turn([job for _, job in self._waiting], price=_pending)
        jobs = self._fitting(waiting)[: self._room(now, free_slots)]
        self._window.cut(now)
        self._refill.filled()
        batch = self._cut(jobs)
        self._backlog.cut(now, sum(job.pending for job in jobs), left=bool(self._waiting))
        return batch

    def _room(self, now: float, free_slots: int) -> int:
        """How many may start. Answers that started together often end together, and who asks again then
        must not find all slots given to another tenant's backlog: half are left for the next cut."""
        several = sum(now - asked < LATELY_S for asked in self._asked.values()) > 1
        return (free_slots + 1) // 2 if several else free_slots

    def _cut_probed(self) -> "Prefill[J]":
        return self._cut(self._fitting(list(self._probed)))

    def _cut(self, jobs: list[J]) -> "Prefill[J]":
        for job in jobs:
            self._shares.charge(job.tenant, job.pending)
        self.drop({id(job) for job in jobs})
        self._interrupted = True
        return Prefill(jobs)

    def _fitting(self, queue: list[J]) -> list[J]:
        """The first job and all later ones like it, while the padded batch is within the budget.

        Who needs what another job of the batch computes waits for it."""
        first = queue[0]
        shortest = longest = first.pending
        batch: list[J] = []
        begun: set[bytes] = set()
        for job in queue:
            low, high = min(shortest, job.pending), max(longest, job.pending)
            price = (len(batch) + 1) * high
            alike = job.probing == first.probing and high <= LIKE * low and job.computes not in begun
            if job is first or (alike and price <= self._config.prefill_token_budget):
                batch.append(job)
                if job.computes is not None:
                    begun.add(job.computes)
                shortest, longest = low, high
        return batch


def _pending(job: Job) -> int:
    return job.pending
