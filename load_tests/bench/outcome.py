"""What became of the requests of one cell, and what that says about the server.

Owns the figures: answers a second, goodput, percentiles. Knows neither HTTP nor files.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

ANSWERED = 200
LOST = 0  # no answer within the time that was waited, or the connection broke
WARM = 0.25  # of an open cell, which counts for nothing: its queue is not yet what it will be


@dataclass(frozen=True, slots=True)
class Outcome:
    """One request: when it was sent and answered, seconds since the cell began, and with what HTTP status.

    ``first_s`` is how long its first piece of text took, the whole answer where it came at once."""

    sent_s: float
    seconds: float
    first_s: float
    status: int
    tokens: int
    right: bool

    @property
    def answered(self) -> bool:
        return self.status == ANSWERED

    @property
    def done_s(self) -> float:
        return self.sent_s + self.seconds

    def row(self) -> list[Any]:
        """For a journal, in milliseconds."""
        times = (round(1e3 * t) for t in (self.sent_s, self.seconds, self.first_s))
        return [*times, self.status, self.tokens, int(self.right)]

    @classmethod
    def of(cls, row: Sequence[Any]) -> Self:
        sent, seconds, first, status, tokens, right = row
        return cls(sent / 1e3, seconds / 1e3, first / 1e3, status, tokens, bool(right))


@dataclass(frozen=True, slots=True)
class Cell:
    """What happened in one cell. Requests were sent for ``seconds``; ``offered`` is the rate of an open
    load, 0 for others; ``client_cpu`` the load generator's share of all cores."""

    outcomes: tuple[Outcome, ...]
    seconds: float
    offered: float
    client_cpu: float

    @property
    def statuses(self) -> dict[int, int]:
        return dict(sorted(Counter(outcome.status for outcome in self.outcomes).items()))

    def rate(self, right_only: bool = False) -> float:
        """Answers a second from the first request to the last answer; all that were asked are waited for."""
        done = [o for o in self.outcomes if o.answered]
        if not done:
            return 0.0
        span = max(o.done_s for o in done) - min(o.sent_s for o in self.outcomes)
        return sum(o.right or not right_only for o in done) / max(span, 1e-9)

    def goodput(self, limit_s: float) -> float:
        """Answers a second that took no longer than ``limit_s``. Of an open cell, to those that asked after its
        first part, however long after the last request they came."""
        good = [o for o in self.outcomes if o.answered and o.seconds <= limit_s]
        if not self.offered:
            return self.rate() * len(good) / max(1, sum(o.answered for o in self.outcomes))
        begin = WARM * self.seconds
        return sum(o.sent_s >= begin for o in good) / (self.seconds - begin)

    def latency(self, share: float) -> float:
        """Seconds that ``share`` of the requests after the first part were answered within; infinite where
        too few were answered."""
        return self._within(share, lambda o: o.seconds)

    def first_text(self, share: float) -> float:
        """As ``latency``, of the first piece of text."""
        return self._within(share, lambda o: o.first_s)

    def _within(self, share: float, of: Any) -> float:
        begin = WARM * self.seconds if self.offered else 0.0
        asked = [o for o in self.outcomes if o.sent_s >= begin]
        return percentile((of(o) if o.answered else math.inf for o in asked), share)


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that ``share`` of all values do not exceed; infinite where there are none."""
    ordered = sorted(values)
    if not ordered:
        return math.inf
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
