"""What the engine tells about itself. It does not know who listens."""

from collections.abc import Mapping
from typing import Literal, Protocol

from arr_coc.answers import Report

BatchKind = Literal["probe", "prefill", "decode"]
Shareable = Literal["pictures", "prefix_tokens"]


class Observer(Protocol):
    """Called from any thread; must return at once and never raise."""

    def batch(self, kind: BatchKind, rows: int, tokens: int, padded_tokens: int, seconds: float) -> None:
        """A forward of ``rows`` sequences and ``tokens`` real tokens ran for ``seconds``;
        ``padded_tokens`` counts padding too, so waste is ``1 - tokens / padded_tokens``."""

    def occupancy(self, running: int, waiting: int, slots: int, waiting_tokens: int) -> None:
        """Sequences holding a slot, sequences queued, slots in all, and what those queued have to compute,
        after a step."""

    def looked_up(self, what: Shareable, queried: int, found: int) -> None:
        """So many pictures, or tokens of prefixes, were needed, and ``found`` of them not computed again."""

    def kept(self, kept_bytes: int) -> None:
        """Bytes held of pictures for those who ask about them again."""

    def answered(self, report: Report) -> None:
        """A whole answer is about to be handed out."""

    def finished(
        self, outcome: str, timings_ms: Mapping[str, float], trace_headers: Mapping[str, str]
    ) -> None:
        """A sequence ended: ``ok``, ``error``, ``cancelled`` or ``deadline``. ``trace_headers`` are its
        request's."""


class Observers:
    """Tells each of several observers."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def batch(self, kind: BatchKind, rows: int, tokens: int, padded_tokens: int, seconds: float) -> None:
        for each in self._observers:
            each.batch(kind, rows, tokens, padded_tokens, seconds)

    def occupancy(self, running: int, waiting: int, slots: int, waiting_tokens: int) -> None:
        for each in self._observers:
            each.occupancy(running, waiting, slots, waiting_tokens)

    def looked_up(self, what: Shareable, queried: int, found: int) -> None:
        for each in self._observers:
            each.looked_up(what, queried, found)

    def kept(self, kept_bytes: int) -> None:
        for each in self._observers:
            each.kept(kept_bytes)

    def answered(self, report: Report) -> None:
        for each in self._observers:
            each.answered(report)

    def finished(
        self, outcome: str, timings_ms: Mapping[str, float], trace_headers: Mapping[str, str]
    ) -> None:
        for each in self._observers:
            each.finished(outcome, timings_ms, trace_headers)


class Silent:
    """An observer that listens to nothing."""

    def batch(self, kind: BatchKind, rows: int, tokens: int, padded_tokens: int, seconds: float) -> None:
        pass

    def occupancy(self, running: int, waiting: int, slots: int, waiting_tokens: int) -> None:
        pass

    def looked_up(self, what: Shareable, queried: int, found: int) -> None:
        pass

    def kept(self, kept_bytes: int) -> None:
        pass

    def answered(self, report: Report) -> None:
        pass

    def finished(
        self, outcome: str, timings_ms: Mapping[str, float], trace_headers: Mapping[str, str]
    ) -> None:
        pass
