"""The door: how many requests are in flight, whose they are, and how long each may take.

A place is reserved before a byte of the body is read and given back exactly once. Tenants share the
places; each may be bounded by itself besides. It does not know what a request is about.
"""

import asyncio
import math
import random
import time
from collections.abc import Callable
from types import TracebackType

from pydantic import BaseModel, ConfigDict, Field

from arr_coc.errors import DeadlineExceeded, Overloaded
from arr_coc.fairness import Pool
from arr_coc.status import Backlog
from serve_app.errors import Draining, RateLimited
from serve_app.pace import Pace

_SMOOTHING = 0.1  # weight of the newest request in the mean time in flight
_RETRY_AFTER_S = (1.0, 60.0)


class AdmissionConfig(BaseModel):
    """How much is let in at once, and how long it may stay."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_in_flight: int = Field(default=160, ge=1, description="requests in flight; beyond, 429")
    max_in_flight_each: int | None = Field(default=None, ge=1, description="of one tenant; beyond, 429")
    per_minute_each: float | None = Field(default=None, gt=0, description="of one tenant; beyond, 429")
    deadline_s: float = Field(default=60.0, gt=0, description="time a request has from its headers on")


class Turn:
    """One admitted request: its place, held while the context is open, and its deadline."""

    def __init__(self, door: "Door", tenant: str, deadline: float) -> None:
        self.tenant = tenant
        self._door = door
        self._deadline = deadline
        self._since = door.clock()
        self._open = True

    def __enter__(self) -> "Turn":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open:
            self._open = False
            self._door.leave(self.tenant, self._door.clock() - self._since)

    def another(self) -> "Turn":
        """A further place under the same deadline, for the next item of a batch.

        Raises Overloaded where there is none, and Draining where none is given any more.
        """
        return self._door.admit(self.tenant, self._deadline)

    def left_s(self) -> float:
        """Seconds until the deadline; zero when it has passed."""
        return max(0.0, self._deadline - self._door.clock())

    def remaining_s(self) -> float:
        """Seconds until the deadline, always positive. Raises DeadlineExceeded when it has passed."""
        left = self.left_s()
        if left <= 0:
            raise deadline_exceeded()
        return left


class Door:
    """Lets requests in up to its limits, until it is closed. A door ``beside`` another has places of its own;
    what one tenant may have is counted over both."""

    def __init__(
        self,
        config: AdmissionConfig,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
        beside: "Door | None" = None,
    ) -> None:
        self.clock = clock
        self._config = config
        self._chance = chance
        self._mean_stay_s = 1.0
        self._places = Pool(config.max_in_flight)
        self._pace = None if config.per_minute_each is None else Pace(config.per_minute_each / 60, clock)
        self._all_places = [self._places]
        if beside is not None:
            self._pace, self._all_places = beside._pace, beside._all_places
            self._all_places.append(self._places)
        self.backlog = Backlog()  # the engine's, as last heard of
        self._empty = asyncio.Event()
        self._empty.set()
        self.closed = False

    @property
    def in_flight(self) -> int:
        return self._places.taken

    def scale(self, times: int) -> None:
        """Lets in so many times ``max_in_flight`` from now on; whoever is inside stays."""
        self._places.capacity = times * self._config.max_in_flight

    def backlog_of(self, tenant: str) -> Backlog:
        """What ``tenant`` has to wait for; nothing where its turn comes before those who wait."""
        return Backlog() if self._places.owes(tenant) else self.backlog

    def admit(
        self, tenant: str = "", deadline: float | None = None, *, within_s: float | None = None
    ) -> Turn:
        """A turn that ends at ``deadline`` (on the door's clock), or the configured time from now, or
        ``within_s`` seconds where the client waits no longer.

        Raises Draining when the door is closed, RateLimited when ``tenant`` is at a limit of its own,
        Overloaded when ``tenant`` holds its share and everything is taken, or those who wait already
        take all the time that there is.
        """
        if self.closed:
            raise Draining("the server is shutting down", retry_after_s=self._retry_after_s())
        limit = self._config.max_in_flight_each
        if limit is not None and sum(places.held_by(tenant) for places in self._all_places) >= limit:
            raise RateLimited("this key has too many requests in flight", retry_after_s=self._retry_after_s())
        if not self._places.fits(tenant):
            raise Overloaded("too many requests are in flight", retry_after_s=self._retry_after_s())
        ends = self.clock() + min(self._config.deadline_s, within_s or math.inf)
        if deadline is not None:
            ends = deadline
        if self.clock() + self.backlog_of(tenant).answered_s(0) >= ends:
            raise Overloaded("the queue is longer than a request's time", retry_after_s=self._retry_after_s())
        if self._pace is not None and (wait_s := self._pace.take(tenant)) > 0:
            raise RateLimited("this key asks too often", retry_after_s=wait_s)
        self._places.take(tenant)
        self._empty.clear()
        return Turn(self, tenant, ends)

    def leave(self, tenant: str, stay_s: float) -> None:
        """Gives one place back after ``stay_s`` seconds; called by the turn that held it."""
        self._places.give_back(tenant)
        self._mean_stay_s += _SMOOTHING * (stay_s - self._mean_stay_s)
        if self.in_flight == 0:
            self._empty.set()

    def close(self) -> None:
        """Lets nobody in any more; those inside stay."""
        self.closed = True

    async def emptied(self, timeout_s: float) -> bool:
        """Waits until nobody is inside, at most ``timeout_s``; whether that came true."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

    def _retry_after_s(self) -> float:
        """What the engine says its queue takes; where it says nothing, one mean stay, in which by Little's
        law the backlog is worked off. Spread over half to one and a half of that, so that those who were
        refused together do not come back together."""
        shortest, longest = _RETRY_AFTER_S
        backlog_s = self.backlog.seconds or self._mean_stay_s
        return min(longest, max(shortest, backlog_s * (0.5 + self._chance())))


def deadline_exceeded() -> DeadlineExceeded:
    """The error of a request that ran out of time."""
    return DeadlineExceeded("the request's deadline passed before its answer was complete")
