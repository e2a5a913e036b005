"""Who waits for a slot, and whose turn it is. Pure policy.

Tenants take turns that give them equal numbers of tokens; a single one's jobs stay in their order.
"""

from collections import deque
from collections.abc import Container
from typing import Generic

from arr_coc.engine.plan import J, Job
from arr_coc.fairness import Shares

LATELY_S = 1.0  # so long after its last job a tenant is expected to ask again


class Waiting(Generic[J]):
    """The queue before the slots."""

    def __init__(self) -> None:
        self._queue: deque[tuple[float, J]] = deque()
        self._shares = Shares()
        self._asked: dict[str, float] = {}  # when each tenant last did

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
        self._asked[job.tenant] = now
        self._queue.append((now, job))

    def drop(self, gone: Container[int]) -> None:
        """Forget the jobs whose ``id()`` is in ``gone``."""
        self._queue = deque(entry for entry in self._queue if id(entry[1]) not in gone)

    def charge(self, tenant: str, tokens: int) -> None:
        """So many tokens were computed for ``tenant``."""
        self._shares.charge(tenant, tokens)

    def in_turn(self) -> list[J]:
        """All of them, in the order in which to serve them."""
        return self._shares.in_turn(self.jobs, price=_pending)

    def room(self, now: float, free_slots: int) -> int:
        """How many may start. Answers that started together often end together, and who asks again then
        must not find all slots given to another tenant's backlog: half are left for the next cut."""
        several = sum(now - asked < LATELY_S for asked in self._asked.values()) > 1
        return (free_slots + 1) // 2 if several else free_slots


def _pending(job: Job) -> int:
    return job.pending
