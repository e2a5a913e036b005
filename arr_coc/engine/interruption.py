"""How much of a prefill may run while others decode. Pure policy."""

from bisect import bisect_right

from arr_coc.engine.costs import Costs
from arr_coc.engine.plan import Job

LEAST = 32  # tokens of a part, however slow the machine


class Interruption:
    """Those who decode wait while a prefill runs: at most ``seconds`` by what forwards have cost, or twice
    a prefill's fixed part, below which parts cost more than they are worth. A picture is never divided
    on its way through the vision tower, so that a part that begins one may take longer.

    Where ``seconds`` is None nothing is bounded.
    """

    def __init__(self, seconds: float | None, costs: Costs) -> None:
        self._seconds = seconds
        self._costs = costs

    def allows(self, tokens: int, visual: int) -> bool:
        """Whether a prefill of ``tokens``, padding included, that looks at ``visual`` ones may run."""
        return self._seconds is None or self._costs.prefill_s(tokens, visual) <= self._longest_s(
            self._seconds
        )

    def part(self, job: Job) -> int:
        """How many of the pending tokens of ``job`` may be computed at once."""
        if self._seconds is None or self.allows(job.pending, job.visual(job.pending)):
            return job.pending
        sizes = range(1, job.pending + 1)
        fitting = bisect_right(
            sizes,
            self._longest_s(self._seconds),
            key=lambda tokens: self._costs.prefill_s(tokens, job.visual(tokens)),
        )
        return min(job.pending, max(fitting, LEAST))

    def _longest_s(self, seconds: float) -> float:
        return max(seconds, 2 * self._costs.prefill_fixed_s)
