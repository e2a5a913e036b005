"""The memory of a replica's device, as the library measures it: its imports wait until it is asked."""

import sys
from typing import Protocol

from arr_coc.engine.config import EngineConfig
from arr_coc.model.config import ModelConfig
from arr_coc.model.source import resolve
from deployments.heavy import import_library


class Memory(Protocol):
    """What several models share."""

    def needed(self, model: ModelConfig, engine: EngineConfig) -> int:
        """Bytes that ``model`` will hold; downloads it first where it has to be. Raises ModelLoadError."""

    def limit(self, model: ModelConfig) -> int:
        """Bytes that models may hold together, on the device of ``model``."""

    def held(self, model: ModelConfig) -> int:
        """Bytes that this process holds now, where ``model`` will be."""

    def give_back(self) -> None:
        """Hand back what nobody refers to any more."""


class DeviceMemory:
    """That of the device; ``limit_bytes`` where the operator has set a limit."""

    def __init__(self, limit_bytes: int | None = None) -> None:
        self._limit_bytes = limit_bytes

    def needed(self, model: ModelConfig, engine: EngineConfig) -> int:
        directory = resolve(model.source, model.cpu_itemsize)
        import_library()
        from arr_coc.sizing import resident_bytes

        return resident_bytes(directory, model, engine)

    def limit(self, model: ModelConfig) -> int:
        from arr_coc.sizing import memory_limit

        computed = memory_limit(model)
        return computed if self._limit_bytes is None else min(computed, self._limit_bytes)

    def held(self, model: ModelConfig) -> int:
        from arr_coc.sizing import held_bytes

        return held_bytes(model)

    def give_back(self) -> None:
        if "arr_coc.sizing" in sys.modules:  # else nothing was loaded that could be given back
            sys.modules["arr_coc.sizing"].give_back()
