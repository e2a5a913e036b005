"""How tenants share what there is not enough of. Pure policy: it knows neither what is shared nor who asks.

A tenant is a label. Where nobody is told apart there is one, and then each class here is what it
would be without tenants: first come, first served, up to a limit.
"""

from collections import Counter
from collections.abc import Callable, Sequence
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
