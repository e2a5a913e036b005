"""How fast what waits is worked off, measured. Pure arithmetic."""

_MEMORY = 0.9  # about the last ten batches, or answers, count


class Throughput:
    """Seconds a waiting token costs, measured from batch to batch while the queue is never empty: what
    an idle engine does says nothing of what a full one can do. And seconds that an answer takes from there."""

    def __init__(self) -> None:
        self._since: float | None = None  # the last batch, where it left some waiting
        self._seconds = 0.0
        self._tokens = 0.0
        self.answer_s = 0.0
        """From a slot to the end of an answer, on average."""

    def cut(self, now: float, tokens: int, *, left: bool) -> None:
        """A batch of ``tokens`` left the queue; whether others were ``left`` in it."""
        if self._since is not None:
            self._seconds = _MEMORY * self._seconds + now - self._since
            self._tokens = _MEMORY * self._tokens + tokens
        self._since = now if left else None

    def answered(self, seconds: float) -> None:
        """An answer was complete so long after it got its slot."""
        self.answer_s = _MEMORY * self.answer_s + (1 - _MEMORY) * seconds if self.answer_s else seconds

    @property
    def token_s(self) -> float:
        """Until one more waiting token has left the queue; 0 while nothing has been measured."""
        return self._seconds / self._tokens if self._tokens else 0.0
