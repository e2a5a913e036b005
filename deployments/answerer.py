"""A loaded model, as the generation stage knows it, and what makes one."""

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from arr_coc.answers import Delta, Report
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.observer import Observer
from arr_coc.model.config import ModelConfig
from arr_coc.status import EngineStatus, Tell
from arr_coc.types import Ask, TexturedPicture


class Answerer(Protocol):
    """A loaded model; ``arr_coc.vlm.VisionLanguageModel`` is one."""

    async def answer(self, ask: Ask, *pictures: TexturedPicture) -> Report: ...
    def stream(self, ask: Ask, *pictures: TexturedPicture) -> AsyncIterator[Delta | Report]: ...
    def status(self) -> EngineStatus: ...
    async def drain(self, timeout_s: float) -> None: ...
    def close(self) -> None: ...


Load = Callable[[ModelConfig, EngineConfig, Observer, Tell], Answerer]
