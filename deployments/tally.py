"""Several engines told of as one: gauges are added up, everything else is passed on as it is.

Knows an engine's observer; not which models there are.
"""

import threading
from collections.abc import Mapping

from arr_coc.answers import Report
from arr_coc.engine.observer import BatchKind, Observer, Shareable


class Tally:
    """Tells ``observer`` of all engines of one process."""

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        self._lock = threading.Lock()
        self._engines: dict[object, tuple[int, int, int, int]] = {}
        self._kept: dict[object, int] = {}

    def engine(self) -> "EngineTally":
        """An observer for one more engine."""
        return EngineTally(self)

    def occupancy(self, engine: object, *told: int) -> None:
        """``told`` is what an observer is told of occupancy, in that order."""
        running, waiting, slots, waiting_tokens = told
        with self._lock:
            self._engines[engine] = (running, waiting, slots, waiting_tokens)
            self.observer.occupancy(*(sum(column) for column in zip(*self._engines.values(), strict=True)))

    def kept(self, engine: object, kept_bytes: int) -> None:
        with self._lock:
            self._kept[engine] = kept_bytes
            self.observer.kept(sum(self._kept.values()))

    def ended(self, engine: object) -> None:
        self.occupancy(engine, 0, 0, 0, 0)
        self.kept(engine, 0)
        with self._lock:
            del self._engines[engine], self._kept[engine]


class EngineTally:
    """What one engine tells."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def batch(self, kind: BatchKind, rows: int, tokens: int, padded_tokens: int, seconds: float) -> None:
        self._tally.observer.batch(kind, rows, tokens, padded_tokens, seconds)

    def occupancy(self, running: int, waiting: int, slots: int, waiting_tokens: int) -> None:
        self._tally.occupancy(self, running, waiting, slots, waiting_tokens)

    def looked_up(self, what: Shareable, queried: int, found: int) -> None:
        self._tally.observer.looked_up(what, queried, found)

    def kept(self, kept_bytes: int) -> None:
        self._tally.kept(self, kept_bytes)

    def answered(self, report: Report) -> None:
        self._tally.observer.answered(report)

    def finished(
        self, outcome: str, timings_ms: Mapping[str, float], trace_headers: Mapping[str, str]
    ) -> None:
        self._tally.observer.finished(outcome, timings_ms, trace_headers)

    def ended(self) -> None:
        """Its engine has ended: it counts no more."""
        self._tally.ended(self)
