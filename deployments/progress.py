"""How far a model that is being loaded is: downloaded bytes, then bytes of it in memory."""

import time
from collections.abc import Callable

from arr_coc.model.config import ModelConfig
from arr_coc.model.source import downloading
from arr_coc.status import Loading, StartPhase
from deployments.memory import Memory


class LoadProgress:
    """Of one load. Begun phases are told by the thread that loads; anybody may ask."""

    def __init__(
        self, config: ModelConfig, memory: Memory, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.phase: StartPhase = "imports"
        self._config = config
        self._memory = memory
        self._clock = clock
        self._total = self._held_before = 0
        self._began = clock()

    def begin(self, phase: StartPhase, size: int) -> None:
        """``size`` bytes are to come into memory in this phase; 0 where it is about something else."""
        self._total, self._began = size, self._clock()
        self._held_before = self._memory.held(self._config) if size else 0
        self.phase = phase

    def told(self) -> Loading | None:
        """The download while there is one, then the weights' way into memory at its mean speed so far; None
        in the other phases. Weights that are mapped from their files come when they are first used."""
        if self.phase in ("imports", "download"):
            return downloading(self._config.source)
        if self.phase != "weights" or not self._total:
            return None
        done = min(self._total, max(0, self._memory.held(self._config) - self._held_before))
        passed = self._clock() - self._began
        left = passed * (self._total - done) / done if done else passed
        return Loading(done, self._total, round(left, 1))
