"""How tenants share what there is not enough of. Pure policy: it knows neither what is shared nor who asks.

A tenant is a label. Where nobody is told apart there is one, and then each class here is what it
would be without tenants: first come, first served, up to a limit.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Protocol, TypeVar


class Tenanted(Protocol):
    """Something that waits on behalf of a tenant."""

    @property
    def tenant(self) -> str:
        """Whose it is."""


T = TypeVar("T", bound=Tenanted)


class Shares:
    """Whose turn it is: the turn of the tenant that has had least.

    The virtual token counter of Sheng et al., *Fairness in Serving Large Language Models* (OSDI 2024):
    what is served is charged when it is served, so that no length need be known before; and a tenant
    earns no credit while it waits for nothing. A tenant that has had no more than the others is served
    within as many turns as there are tenants, whatever those have waiting.
    """

    def __init__(self) -> None:
        self._ahead: Counter[str] = Counter()  # by how much, of the least served one that waited

    def charge(self, tenant: str, amount: int) -> None:
        """``tenant`` was served so much."""
        self._ahead[tenant] += amount

    def in_turn(self, waiting: Sequence[T], price: Callable[[T], int]) -> list[T]:
        """All of ``waiting``, which is in order of arrival, in the order in which to serve it."""
        self._level({each.tenant for each in waiting})
        ahead, turns = self._ahead.copy(), list[tuple[int, T]]()
        for each in waiting:
            turns.append((ahead[each.tenant], each))
            ahead[each.tenant] += price(each)
        return [each for _, each in sorted(turns, key=itemgetter(0))]  # stable: ties go by arrival

    def _level(self, waiting: set[str]) -> None:
        """Count from the least served of those who wait; whoever has had less and does not wait is level."""
        least = min((self._ahead[tenant] for tenant in waiting), default=0)
        self._ahead = Counter({each: ahead - least for each, ahead in self._ahead.items() if ahead > least})


class Guarantees:
    """Who may take which of ``capacity`` places that are given back one by one, long after they were taken.

    Each tenant that has, wants or within the last ``lately_s`` seconds had places may count on as many as
    it had or wanted at once then, at most an equal share. Beyond that it takes only what nobody else may
    count on, so that who asks again finds its places free however many others wait. A single tenant may
    take all.
    """

    def __init__(self, capacity: int, lately_s: float) -> None:
        self._capacity = capacity
        self._lately_s = lately_s
        self._held: Counter[str] = Counter()
        self._seen: dict[str, float] = {}  # when each tenant last asked or gave back
        self._wanted: dict[str, tuple[int, float]] = {}  # how many places at once, and when

    def ask(self, tenant: str, waiting: int, now: float) -> None:
        """``tenant`` asks again; so many of its wait by now."""
        self._note(tenant, self._held[tenant] + waiting, now)

    def take(self, tenant: str) -> None:
        """It has one place more."""
        self._held[tenant] += 1

    def give_back(self, tenant: str, now: float) -> None:
        """It has one place less."""
        self._note(tenant, self._held[tenant], now)
        self._held[tenant] -= 1
        if not self._held[tenant]:
            del self._held[tenant]

    def several(self, waiting: Iterable[T], now: float) -> bool:
        """Whether more than one tenant is there, those of ``waiting`` included, however long they wait."""
        self._forget(now)
        return len(self._seen) > 1 or len(self._seen.keys() | {each.tenant for each in waiting}) > 1

    def admitted(self, waiting: Iterable[T], free: int, now: float) -> tuple[list[T], bool]:
        """Those of ``waiting``, in their order, that may have one of the ``free`` places each; and whether
        they may count on it. Where some may, they are these alone."""
        waiting, held = list(waiting), self._held.copy()
        self._forget(now)
        there = self._seen.keys() | {each.tenant for each in waiting}
        share = self._capacity // max(1, len(there))
        counted_on = {tenant: min(share, self._wanted[tenant][0]) for tenant in there}
        reserved = sum(max(0, most - held[tenant]) for tenant, most in counted_on.items())
        owed, others = list[T](), list[T]()
        for each in waiting:
            if not free:
                break
            if held[each.tenant] < counted_on[each.tenant]:
                owed.append(each)
                reserved -= 1
            elif free > reserved:
                others.append(each)
            else:
                continue
            held[each.tenant] += 1
            free -= 1
        return owed or others, bool(owed)

    def _note(self, tenant: str, wanted: int, now: float) -> None:
        most, at = self._wanted.get(tenant, (0, now))
        if wanted >= most or now - at >= self._lately_s:
            self._wanted[tenant] = wanted, now
        self._seen[tenant] = now

    def _forget(self, now: float) -> None:
        """Those who have nothing and were not seen lately."""
        self._seen = {
            tenant: seen
            for tenant, seen in self._seen.items()
            if self._held[tenant] or now - seen < self._lately_s
        }


class Pool:
    """So much of something, taken and given back.

    All of it is open to whoever comes. Once it is taken, only a tenant that holds less than an equal
    share gets more: nobody is refused what is its own because others took everything. ``n`` tenants
    thus hold at most 1 + 1/2 + ... + 1/n times ``capacity``, and come back to it as they give back.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity  # may change; what is taken stays taken
        self._held: Counter[str] = Counter()
        self.taken = 0

    def held_by(self, tenant: str) -> int:
        """What ``tenant`` has taken and not given back."""
        return self._held[tenant]

    def fits(self, tenant: str, amount: int = 1) -> bool:
        """Whether ``tenant`` may take so much more."""
        share = max(1, self.capacity // len(self._held.keys() | {tenant}))
        return self.taken + amount <= self.capacity or self._held[tenant] + amount <= share

    def owes(self, tenant: str) -> bool:
        """Whether ``tenant`` holds less than an equal share of what is taken: its turn comes before those
        of others who wait."""
        return self._held[tenant] * len(self._held.keys() | {tenant}) < self.taken

    def take(self, tenant: str, amount: int = 1) -> None:
        """Take it; whether it fits was asked before."""
        self._held[tenant] += amount
        self.taken += amount
        if not self._held[tenant]:  # who holds nothing has no share
            del self._held[tenant]

    def give_back(self, tenant: str, amount: int = 1) -> None:
        """Give back what was taken."""
        assert amount <= self._held[tenant]
        self.take(tenant, -amount)
