"""What the accelerator does next. Pure policy: it sees jobs as numbers and runs nothing.

The plan is made when the accelerator is free, never earlier, so a batch holds whatever has arrived
by then. Who holds a slot is prefilled to the end before others get one. Between two prefills those who
decode make a step, or several, and while they do a prefill is only so large, so that a long queue or a
large picture does not stop the answers that run: larger where nobody reads along and nobody else asks.
"""

from collections import deque
from collections.abc import Iterable
from typing import Generic

from arr_coc.engine.batching import Batching
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.costs import Costs
from arr_coc.engine.interruption import Interruption
from arr_coc.engine.plan import Decode, Idle, J, Prefill
from arr_coc.engine.refill import Refill
from arr_coc.engine.throughput import Throughput
from arr_coc.engine.waiting import Waiting
from arr_coc.engine.window import Window
from arr_coc.status import Backlog

THEIRS = 1 / 16
"""Of the time of a prefill, at least a step: how long those who decode go on before the next one. On a CPU,
where a step is next to nothing beside a prefill, answers are complete 10 to 30 % sooner (simulated) for 3 %
of what can be answered at most; on a GPU one step is longer."""


UNREAD = 8
"""Times as long as else a prefill may interrupt answers of one tenant that are all wanted whole. Nobody sees
that gap, and a prefill of many rows costs less of each: 54 instead of 97 ms with a model of 59 M parameters."""


class Scheduler(Generic[J]):
    """Queues, and the order in which they are served."""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self.costs = Costs()
        self._throughput = Throughput()
        self._refill = Refill(config.slots, self.costs)
        self._stepped = 0  # rows of the step that was planned last, and
        self._free = 0  # how many slots were free then
        self._interrupted: float | None = None  # when the prefill began that ran last, if no plan followed
        self._theirs_until = 0.0  # no prefill before, where any decode
        self._adaptive = config.adaptive_window and config.window_ms > 0
        self._window = Window(config.window_ms / 1e3, self.costs, adaptive=self._adaptive)
        seconds = config.interrupt_s
        self._read = Interruption(seconds, self.costs)
        self._unread = Interruption(None if seconds is None else UNREAD * seconds, self.costs)
        self._batching: Batching[J] = Batching(config.prefill_token_budget)
        self._waiting: Waiting[J] = Waiting(config.slots)
        self._held: deque[J] = deque()  # slots, by jobs with more to prefill

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def backlog(self) -> Backlog:
        """All that wait for a slot now, and how fast such were worked off."""
        return Backlog(self._waiting.tokens, self._throughput.token_s, self._throughput.answer_s)

    def jobs(self) -> Iterable[J]:
        """All queued jobs."""
        return [*self._waiting.jobs, *self._held]

    def submit(self, job: J, now: float) -> None:
        """Queue a new job."""
        self._window.arrived(now)
        self._waiting.submit(job, now)

    def go_on(self, job: J) -> None:
        """Go on, before all others, with a job of whose prompt a part was prefilled."""
        self._held.appendleft(job)

    def resume(self, job: J) -> None:
        """Queue a probed job for its next prefill."""
        self._held.append(job)

    def decoded(self, job: J) -> None:
        """Charge ``job``'s tenant for one more token of its answer."""
        self._waiting.charge(job.tenant, 1)

    def left(self, job: J, now: float) -> None:
        """``job`` gave its slot back."""
        self._waiting.left(job, now)

    def answered(self, seconds: float) -> None:
        """Take note of an answer that was complete so long after it got its slot."""
        self._throughput.answered(seconds)

    def drop(self, gone: set[int]) -> None:
        """Forget the queued jobs whose ``id()`` is in ``gone``."""
        self._waiting.drop(gone)
        self._held = deque(job for job in self._held if id(job) not in gone)

    def plan(
        self, now: float, running: int, free_slots: int, *, watched: bool = True
    ) -> "Prefill[J] | Decode | Idle":
        """The next thing to do with ``running`` decoding jobs, ``watched`` where any of them is streamed,
        and ``free_slots`` free."""
        if self._stepped:
            self._refill.stepped(self._stepped, max(0, free_slots - self._free))
        self._stepped = 0
        if self._is_theirs(now) and running:
            return self._step(running, free_slots)
        if self._held:
            return self._cut(list(self._held), len(self._held), now, self._bound(now, running, watched))
        slots, owed = self._waiting.open(now, free_slots)
        wait = 0.0 if owed else self._until_cut(now, running, slots)
        if wait == 0.0:
            return self._start(now, free_slots, self._bound(now, running, watched))
        return self._step(running, free_slots) if running else Idle(wait)

    def _is_theirs(self, now: float) -> bool:
        """Whether those who decode come next: one step after a prefill, and more where that was long."""
        if self._interrupted is None:
            return now < self._theirs_until
        self._theirs_until = now + THEIRS * (now - self._interrupted)
        self._interrupted = None
        return True

    def _bound(self, now: float, running: int, watched: bool) -> Interruption | None:
        if not running:
            return None
        read = watched or self._waiting.contested(now) or any(job.streamed for job in self.jobs())
        return self._read if read else self._unread

    def _step(self, running: int, free_slots: int) -> Decode:
        self._stepped, self._free = running, free_slots
        return Decode()

    def _until_cut(self, now: float, running: int, free_slots: int) -> float | None:
        waiting = len(self._waiting)
        if not waiting or not free_slots:
            return None
        full = waiting >= free_slots or self._waiting.tokens >= self._config.prefill_token_budget
        if not running and full:
            return 0.0
        if self._adaptive and running and waiting > free_slots:
            return 0.0 if self._refill.pays(free_slots) else None
        return self._window.remaining(now, self._waiting.oldest, waiting, running)

    def _start(self, now: float, free_slots: int, bound: Interruption | None) -> "Prefill[J]":
        queue, before = self._waiting.startable(now, free_slots), self._waiting.tokens
        self._window.cut(now)
        self._refill.filled()
        batch = self._cut(queue, free_slots, now, bound)
        for job in batch.jobs:
            self._waiting.started(job)
        started = before - self._waiting.tokens
        self._throughput.cut(now, started, left=bool(self._waiting))
        return batch

    def _cut(self, queue: list[J], room: int, now: float, bound: Interruption | None) -> "Prefill[J]":
        batch = self._batching.cut(queue, room, bound)
        for job in batch.jobs:
            self._waiting.charge(job.tenant, min(job.pending, batch.most or job.pending))
        self.drop({id(job) for job in batch.jobs})
        self._interrupted = now
        return batch
