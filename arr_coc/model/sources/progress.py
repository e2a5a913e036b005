"""How far a download is, told by the process that downloads to all that wait for it.

One small file, replaced whole, so that a reader never sees half of it.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from arr_coc.status import Loading

_EVERY_S = 0.5


class Meter:
    """Counts bytes and writes them down, at most twice a second. Safe to call from several threads."""

    def __init__(self, path: Path, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._started = self._written = clock()
        self._fetched = 0
        self.done = 0
        self.total = total

    def found(self, size: int) -> None:
        """``size`` bytes were here already, and say nothing of the speed."""
        self.done += size

    def add(self, size: int) -> None:
        """``size`` bytes have arrived and are written."""
        with self._lock:
            self.done += size
            self._fetched += size
            now = self._clock()
            if now - self._written >= _EVERY_S:
                self._written = now
                self._write(now)

    def _write(self, now: float) -> None:
        speed = self._fetched / (now - self._started)
        told = Loading(self.done, self.total, round((self.total - self.done) / speed, 1))
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(told)))
        draft.replace(self._path)


def read(path: Path) -> Loading | None:
    """What a meter wrote last; None where there is nothing, or nothing that can be read."""
    try:
        return Loading(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None
