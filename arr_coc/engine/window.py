"""The micro-batch window: how long an idle accelerator waits for company. Pure policy."""


class Window:
    """Waits up to ``seconds`` for more requests, but only while more are to be expected.

    What is expected follows from the arrival rate: where the usual gap between arrivals is longer
    than the window, waiting buys nothing and the batch is cut at once.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._last_arrival = -1.0
        self._gap = float("inf")  # moving average, seconds

    def arrived(self, now: float) -> None:
        """Take note of an arrival."""
        if self._last_arrival >= 0:
            gap = min(now - self._last_arrival, 1.0)
            self._gap = gap if self._gap == float("inf") else 0.8 * self._gap + 0.2 * gap
        self._last_arrival = now

    def remaining(self, now: float, oldest: float) -> float:
        """Seconds a batch whose oldest request arrived at ``oldest`` should still wait; 0: cut now."""
        if self._gap >= self.seconds:
            return 0.0
        return max(0.0, oldest + self.seconds - now)
