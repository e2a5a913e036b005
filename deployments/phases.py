"""How long each phase of a start took, told by the stage that loads to the process that was started.

One small file in the directory that all processes of a start share, replaced whole, so that a reader never
sees half of it. Times are those of the machine's monotonic clock, which all its processes share.
"""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_FILE = "phases.json"


@dataclass(frozen=True, slots=True)
class Span:
    """A phase: when it began, and its seconds; None while it goes on."""

    began: float
    seconds: float | None = None


class Phases:
    """Phases of one thread, each ended by the next."""

    def __init__(self, directory: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = directory / _FILE
        self._clock = clock
        self._spans: dict[str, Span] = {}
        self._current: str | None = None
        self._since = 0.0

    def begin(self, phase: str) -> None:
        """From now on it is ``phase``; where it was before, its seconds add up."""
        self._end()
        self._current, self._since = phase, self._clock()
        self._spans.setdefault(phase, Span(self._since))
        self._write()

    def end(self) -> None:
        """The last one is over."""
        self._end()
        self._write()

    def _end(self) -> None:
        if self._current is not None:
            span = self._spans[self._current]
            self._spans[self._current] = Span(span.began, (span.seconds or 0) + self._clock() - self._since)
            self._current = None

    def _write(self) -> None:
        content = {phase: [span.began, span.seconds] for phase, span in self._spans.items()}
        draft = self._path.with_suffix(".draft")
        with suppress(OSError):  # the directory goes with the server
            draft.write_text(json.dumps(content))
            draft.replace(self._path)


def read_phases(directory: Path) -> dict[str, Span]:
    """What was last written; nothing where there is nothing yet."""
    try:
        content = json.loads((directory / _FILE).read_text())
    except (OSError, ValueError):
        return {}
    return {phase: Span(began, seconds) for phase, (began, seconds) in content.items()}
