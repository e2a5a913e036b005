"""Measuring, loading and letting go of models: what takes its time. It does not know when which is due."""

import logging
import time
from collections.abc import Callable, Mapping

from arr_coc.engine.config import EngineConfig
from arr_coc.errors import NoRoom
from arr_coc.model.config import ModelConfig
from arr_coc.status import StartPhase
from deployments.answerer import Answerer, Load
from deployments.memory import Memory
from deployments.progress import LoadProgress
from deployments.tally import EngineTally, Tally

_log = logging.getLogger(__name__)
_GIB = 2**30


class Loader:
    """Blocks in every method; they are called from threads: one model is loaded at a time, and
    others may be measured meanwhile."""

    def __init__(
        self,
        configs: Mapping[str, ModelConfig],
        engine: EngineConfig,
        make: Load,
        memory: Memory,
        tally: Tally,
        tell: Callable[[StartPhase], None],
    ) -> None:
        """``tell`` learns of every phase that begins."""
        self._configs = configs
        self._engine = engine
        self._make = make
        self._memory = memory
        self._tally = tally
        self._tell = tell
        self._observers: dict[str, EngineTally] = {}
        self._limit: int | None = None
        self._loading: dict[str, LoadProgress] = {}
        self._measuring: dict[str, LoadProgress] = {}

    @property
    def progress(self) -> LoadProgress | None:
        """Of what is under way; of the load where models are measured beside it."""
        return next(iter((*self._loading.values(), *self._measuring.values())), None)

    def measured(self, name: str) -> tuple[int, int]:
        """Bytes that a model will hold, and that all may together, which is found out the first time.

        Downloads the model where it has to be. Raises NoRoom where it can never fit, and ModelLoadError.
        """
        config = self._configs[name]
        self._measuring[name] = LoadProgress(config, self._memory)
        try:
            size = self._memory.needed(config, self._engine)
        finally:
            del self._measuring[name]
        if self._limit is None:
            self._limit = self._memory.limit(config)
        _log.info({"event": "model measured", "model": name, "bytes": size, "limit": self._limit})
        if size > self._limit:
            raise NoRoom(
                f"the model {name} needs {size / _GIB:.2f} GiB (weights, slots, forwards and what is kept of "
                f"pictures), and models may hold {self._limit / _GIB:.2f} GiB; lower engine.slots, "
                "engine.max_length or engine.shared_mib, or take a smaller model"
            )
        return size, self._limit

    def load(self, name: str) -> tuple[Answerer, float]:
        """The model, loaded and warm, and the seconds that took. Raises ModelLoadError."""
        began, config, observer = time.monotonic(), self._configs[name], self._tally.engine()
        self._loading[name] = progress = LoadProgress(config, self._memory)

        def tell(phase: StartPhase, size: int) -> None:
            progress.begin(phase, size)
            self._tell(phase)

        try:
            answerer = self._make(config, self._engine, observer, tell)
        except Exception:
            self._memory.give_back()
            raise
        finally:
            del self._loading[name]
        self._observers[name] = observer
        seconds = time.monotonic() - began
        _log.info({"event": "model loaded", "model": name, "s": round(seconds, 2)})
        return answerer, seconds

    def let_go(self, name: str, answerer: Answerer) -> None:
        """Ends the model. Its memory is free once nobody refers to it and it is handed back."""
        answerer.close()
        self._observers.pop(name).ended()
        _log.info({"event": "model let go", "model": name})
