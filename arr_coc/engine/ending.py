"""How sequences end: well, by a fault of their own, or because they must.

Owns the order of it: the slot is free before anybody is told. Does not know why a sequence ends.
"""

import logging
import time
from collections.abc import Callable, Sequence

from arr_coc.answers import Usage
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.observer import Observer
from arr_coc.engine.outcome import Finish, Outbox, outcome_name
from arr_coc.engine.scheduler import Scheduler
from arr_coc.engine.sequence import Phase
from arr_coc.engine.sequence import Sequence as Seq
from arr_coc.engine.slots import Slots
from arr_coc.errors import ArrCocError, DeadlineExceeded, ModelFault
from arr_coc.types import FinishReason

log = logging.getLogger(__name__)


class Endings:
    """Takes sequences out of queues and slots; each ends once. Belongs to the engine's thread."""

    def __init__(
        self,
        config: EngineConfig,
        scheduler: Scheduler[Seq],
        slots: Slots,
        outbox: Outbox,
        observer: Observer,
    ) -> None:
        self._config = config
        self._scheduler = scheduler
        self._slots = slots
        self._outbox = outbox
        self.observer = observer

    def finish(self, row: Seq, reason: FinishReason, said: Sequence[int]) -> None:
        """The answer of ``row`` is complete and says the tokens ``said``."""
        text, rest = row.detokenizer.finish(said)
        if rest.text:
            self._outbox.put(row.outcome, rest)
        self._scheduler.answered(time.monotonic() - row.times.admitted)
        times = row.times.milliseconds(time.monotonic())
        usage = Usage(len(row.prompt), len(row.output), row.prompt.visual_tokens + row.dropped)
        self._end(row, Finish("stop" if row.detokenizer.stopped else reason, text, usage, times))

    def fail(self, row: Seq, error: Exception) -> None:
        """``row`` ends by ``error``, which is told only where it was raised to be told."""
        if not isinstance(error, ArrCocError):
            log.error("request %s failed", row.id, exc_info=error)
            error = ModelFault("the model failed on this request")
        self._end(row, error)

    def end_late(self, now: float) -> None:
        """End those whose deadline has passed, or will have before the prefill that they need: what nobody
        will get is not computed."""
        self.end_where(lambda row: row.deadline <= now, DeadlineExceeded("the deadline passed"))
        costs, most = self._scheduler.costs, self._config.max_length
        soon = now + costs.prefill_s(most, most)

        def cannot(row: Seq) -> bool:
            return row.deadline < soon and row.deadline < now + row.least_s(costs)

        self.end_where(cannot, DeadlineExceeded("no answer would be complete before the deadline"))

    def end_where(self, condition: Callable[[Seq], bool], error: ArrCocError) -> None:
        """End every sequence, queued or running, that meets ``condition``."""
        queued = [row for row in self._scheduler.jobs() if condition(row)]
        running = [row for row in self._slots.rows if condition(row)]
        self._scheduler.drop({id(row) for row in queued})
        for row in {id(row): row for row in queued + running}.values():
            self._end(row, error)

    def _end(self, row: Seq, item: Finish | ArrCocError) -> None:
        if row.phase is Phase.FINISHED:
            return
        row.phase, row.looking_at = Phase.FINISHED, None
        if row.slot >= 0:
            self._slots.leave(row)
            self._scheduler.left(row, time.monotonic())
        self._outbox.put(row.outcome, item)
        times = row.times.milliseconds(time.monotonic())
        self.observer.finished(outcome_name(item), times, row.trace_headers)
