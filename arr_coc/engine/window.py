"""The micro-batch window: how long requests wait for company before they are prefilled. Pure policy."""

from arr_coc.engine.costs import Costs


class Window:
    """Waits for one more request while that saves more than it costs, at most ``seconds``.

    With n waiting and r decoding, waiting one more gap between arrivals delays n + 1 requests by it;
    cutting now means another prefill then, whose fixed cost delays all n + r + 1. So a batch waits while
    ``(n + 1) * gap < (n + r + 1) * fixed``. While any decode, that also bounds how often prefills
    interrupt them. Where the rule is not ``adaptive`` it waits for all of ``seconds``: where any decode,
    since the last prefill.
    """

    def __init__(self, seconds: float, costs: Costs, *, adaptive: bool) -> None:
        self._seconds = seconds
        self._costs = costs
        self._adaptive = adaptive
        self._last_arrival = -1.0
        self._last_cut = -1.0
        self._gap = float("inf")  # moving average, seconds

    def arrived(self, now: float) -> None:
        """Take note of an arrival."""
        if self._last_arrival >= 0:
            gap = min(now - self._last_arrival, 1.0)
            self._gap = gap if self._gap == float("inf") else 0.8 * self._gap + 0.2 * gap
        self._last_arrival = now

    def cut(self, now: float) -> None:
        """Take note of a batch being cut."""
        self._last_cut = now

    def remaining(self, now: float, oldest: float, waiting: int, running: int) -> float:
        """Seconds that ``waiting`` requests, the first of which arrived at ``oldest``, should still wait
        while ``running`` decode; 0: cut now."""
        if not self._adaptive:
            if running:
                return max(0.0, self._last_cut + self._seconds - now)
            if self._gap >= self._seconds:
                return 0.0
            return max(0.0, oldest + self._seconds - now)
        worth = self._costs.prefill_fixed_s * (waiting + running + 1) / (waiting + 1)
        if self._gap >= worth:
            return 0.0
        return max(0.0, min(oldest + self._seconds, self._last_arrival + worth) - now)
