"""Which jobs are prefilled together, and how much of them. Pure policy."""

from collections.abc import Sequence
from typing import Generic

from arr_coc.engine.interruption import Interruption
from arr_coc.engine.plan import J, Prefill

LIKE = 1.5  # longest over shortest of one prefill batch; beyond, padding costs more than batching saves


class Batching(Generic[J]):
    """Cuts batches of at most ``budget`` tokens, padding included."""

    def __init__(self, budget: int) -> None:
        self._budget = budget

    def cut(self, queue: Sequence[J], room: int, interruption: Interruption | None) -> "Prefill[J]":
        """The first job and all later ones like it, at most ``room``, while the batch is within its bounds,
        those of ``interruption`` too where others decode.

        A first job that is too large by itself is prefilled in parts, alone. Who needs what another job of
        the batch computes waits for it.
        """
        first = queue[0]
        if interruption and (most := interruption.part(first)) < first.pending:
            return Prefill([first], most)
        shortest = longest = first.pending
        visual = first.visual(first.pending)
        batch, begun = [first], {first.computes}
        for job in queue[1:]:
            if len(batch) == room:
                break
            low, high = min(shortest, job.pending), max(longest, job.pending)
            alike = job.probing == first.probing and high <= LIKE * low
            shared = job.computes is not None and job.computes in begun
            seen = visual + job.visual(job.pending)
            tokens = (len(batch) + 1) * high
            fits = tokens <= self._budget and (not interruption or interruption.allows(tokens, seen))
            if alike and not shared and fits:
                batch.append(job)
                begun.add(job.computes)
                shortest, longest, visual = low, high, seen
        return Prefill(batch)
