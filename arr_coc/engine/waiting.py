"""Who waits for a slot, and whose turn it is. Pure policy.

Tenants take turns that give them equal numbers of tokens, and may count on as many slots as they have
lately used, up to an equal share; a single one's jobs stay in their order.
"""

from collections import deque
from collections.abc import Container
from typing import Generic

from arr_coc.engine.plan import J, Job
from arr_coc.fairness import Guarantees, Shares

LATELY_S = 1.0  # so long after its last answer a tenant is expected to ask again


class Waiting(Generic[J]):
    """The queue before the slots."""

    def __init__(self, slots: int) -> None:
        self._queue: deque[tuple[float, J]] = deque()
        self._shares = Shares()
        self._guarantees = Guarantees(slots, LATELY_S)

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def jobs(self) -> list[J]:
        """In order of arrival."""
        return [job for _, job in self._queue]

    @property
    def oldest(self) -> float:
        """When the first of them arrived."""
        return self._queue[0][0]

    @property
    def tokens(self) -> int:
        """What all of them have to compute first."""
        return sum(job.pending for _, job in self._queue)

    def submit(self, job: J, now: float) -> None:
        """Queue a new job."""
        self._queue.append((now, job))
        self._guarantees.ask(job.tenant, sum(each.tenant == job.tenant for _, each in self._queue), now)

    def drop(self, gone: Container[int]) -> None:
        """Forget the jobs whose ``id()`` is in ``gone``."""
        self._queue = deque(entry for entry in self._queue if id(entry[1]) not in gone)

    def charge(self, tenant: str, tokens: int) -> None:
        """So many tokens were computed for ``tenant``."""
        self._shares.charge(tenant, tokens)

    def started(self, job: J) -> None:
        """``job`` has a slot."""
        self._guarantees.take(job.tenant)

    def left(self, job: J, now: float) -> None:
        """``job`` has a slot no more."""
        self._guarantees.give_back(job.tenant, now)

    def startable(self, now: float, free_slots: int) -> list[J]:
        """Those of whom any may start in ``free_slots``, in the order in which to."""
        queue = self._shares.in_turn(self.jobs, price=_pending)
        if not self._guarantees.several(self.jobs, now):
            return queue
        return self._guarantees.admitted(queue, free_slots, now)[0]

    def contested(self, now: float) -> bool:
        """Whether several tenants are about."""
        return self._guarantees.several(self.jobs, now)

    def open(self, now: float, free_slots: int) -> tuple[int, bool]:
        """How many of ``free_slots`` those who wait may take; and whether some are owed them, since their
        tenants hold less than they may count on."""
        if not self._guarantees.several(self.jobs, now):
            return free_slots, False
        admitted, owed = self._guarantees.admitted(self.jobs, free_slots, now)
        return (len(admitted) if len(admitted) < len(self) else free_slots), owed


def _pending(job: Job) -> int:
    return job.pending
