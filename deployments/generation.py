"""The generation stage: one replica that owns the model, its engine and the accelerator.

Weights load in a thread, so that the replica can say what it is doing meanwhile. Knows neither HTTP
nor how a picture was textured.
"""

import faulthandler
import gc
import logging
import os
import threading
import time
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Protocol

from arr_coc.engine.config import EngineConfig
from arr_coc.engine.observer import Observer, Observers
from arr_coc.errors import ArrCocError, EngineClosed
from arr_coc.model.config import ModelConfig
from arr_coc.model.source import downloading
from arr_coc.types import Ask, Delta, EngineStatus, Report, TexturedPicture
from deployments.config import FAILED, TracingConfig
from deployments.listening import listen_on_node_address
from deployments.logs import configure_logging
from deployments.metrics import EngineMetrics
from deployments.scraping import open_directory
from deployments.tracing import EngineSpans, open_tracer

_log = logging.getLogger(__name__)


class Answerer(Protocol):
    """What the stage needs of a loaded model; ``arr_coc.vlm.VisionLanguageModel`` is one."""

    async def answer(self, ask: Ask, *pictures: TexturedPicture) -> Report: ...
    def stream(self, ask: Ask, *pictures: TexturedPicture) -> AsyncIterator[Delta | Report]: ...
    def status(self) -> EngineStatus: ...
    async def drain(self, timeout_s: float) -> None: ...


Load = Callable[[ModelConfig, EngineConfig, Observer], Answerer]


def load_model(model: ModelConfig, engine: EngineConfig, observer: Observer) -> Answerer:
    """Import the libraries, load the weights, warm both routes up. Raises ModelLoadError."""
    gc.disable()  # looking through a million new objects, all of which stay, is a sixth of the imports
    try:
        from arr_coc.vlm import VisionLanguageModel  # seconds of imports, which nobody should wait for
    finally:
        gc.freeze()
        gc.enable()
    return VisionLanguageModel.load(model, engine, observer)


class GenerationStage:
    """The replica. It takes calls at once and refuses work until the model is loaded."""

    def __init__(
        self,
        model: ModelConfig,
        engine: EngineConfig,
        metrics_directory: str,
        tracing: TracingConfig,
        load: Load = load_model,
    ) -> None:
        configure_logging()
        listen_on_node_address()
        open_directory(metrics_directory)
        self._observer = Observers(EngineMetrics(), EngineSpans(open_tracer(tracing, "generation")))
        self._model = model
        self._engine = engine
        self._load = load
        self._detail = "loading the model"
        self._answerer: Answerer | None = None
        threading.Thread(target=self._run_load, name="load", daemon=True).start()

    def _run_load(self) -> None:
        started = time.monotonic()
        try:
            self._answerer = self._load(placed(self._model), self._engine, self._observer)
            _log.info("model loaded and warm after %.2f s", time.monotonic() - started)
        except ArrCocError as error:
            self._detail = FAILED + error.message
        except Exception:
            _log.error("the model could not be loaded\n%s", traceback.format_exc())  # nobody has asked yet
            self._detail = FAILED + "unforeseen error while loading the model, see the log"

    async def answer(self, ask: Ask, *pictures: TexturedPicture) -> Report:
        """The whole answer, or a typed error."""
        return await self._loaded().answer(ask, *pictures)

    async def stream(self, ask: Ask, *pictures: TexturedPicture) -> AsyncGenerator[Delta | Report, None]:
        """Deltas, then the report; closing the generator cancels the request in the engine."""
        events = self._loaded().stream(ask, *pictures)
        try:
            async for event in events:
                yield event
        finally:
            if isinstance(events, AsyncGenerator):
                await events.aclose()

    async def status(self) -> EngineStatus:
        """A snapshot; answers while the model is still loading."""
        if self._answerer is not None:
            return self._answerer.status()
        loading = downloading(self._model.source)
        fetching = loading is not None and not self._detail.startswith(FAILED)
        return EngineStatus(
            ready=False,
            detail="downloading the model" if fetching else self._detail,
            model=self._model.served_name,
            device=self._model.device,
            dtype=self._model.dtype,
            running=0,
            waiting=0,
            slots=self._engine.slots,
            last_step_age_s=0.0,
            loading=loading if fetching else None,
        )

    async def drain(self, timeout_s: float) -> None:
        """Refuse new work, let what runs finish for ``timeout_s``, then fail the rest."""
        if self._answerer is not None:
            await self._answerer.drain(timeout_s)

    async def check_health(self) -> None:
        """Ray replaces the replica when this raises: the engine hangs or has died, or loading failed."""
        status = await self.status()
        if status.last_step_age_s > self._engine.stall_s:
            faulthandler.dump_traceback()  # where it hangs: the process will be gone
            raise RuntimeError(f"the engine made no step for {status.last_step_age_s:.0f} s")
        ended = self._answerer is not None and not status.ready and status.detail != "draining"
        if ended or status.detail.startswith(FAILED):
            raise RuntimeError(status.detail)

    def _loaded(self) -> Answerer:
        if self._answerer is None:
            raise EngineClosed(f"The model is not ready: {self._detail}.", code="not_ready")
        return self._answerer


def placed(model: ModelConfig) -> ModelConfig:
    """``model`` with threads where it names none: Ray tells libraries to use one, and on a CPU a model may use
    all that the process has."""
    if model.threads is not None:
        return model
    return model.model_copy(update={"threads": len(os.sched_getaffinity(0))})
