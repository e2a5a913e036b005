"""The generation stage: one replica that owns the accelerator, the models on it and their engines.

Weights load in threads, so that the replica can say what it is doing meanwhile. Knows neither HTTP
nor how a picture was textured.
"""

import asyncio
import faulthandler
import os
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from arr_coc.answers import Delta, Report
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.observer import Observer, Observers
from arr_coc.errors import DeadlineExceeded, EngineClosed
from arr_coc.model.config import ModelConfig
from arr_coc.status import Backlog, EngineStatus, StartPhase, Tell
from arr_coc.types import Ask, TexturedPicture
from deployments import autoscaling
from deployments.answerer import Answerer, Load
from deployments.config import FAILED, GenerationStageConfig, TracingConfig
from deployments.gathering import Counted, counted
from deployments.heavy import import_library
from deployments.listening import listen_on_node_address
from deployments.logs import configure_logging
from deployments.memory import DeviceMemory, Memory
from deployments.metrics import EngineMetrics
from deployments.model_metrics import ModelMetrics
from deployments.models import Models
from deployments.phases import Phases
from deployments.scraping import open_directory
from deployments.tally import Tally
from deployments.tracing import EngineSpans, open_tracer


def load_model(model: ModelConfig, engine: EngineConfig, observer: Observer, tell: Tell) -> Answerer:
    """Import the libraries, load the weights, warm both routes up. Raises ModelLoadError."""
    tell("imports", 0)
    import_library()
    from arr_coc.vlm import VisionLanguageModel

    return VisionLanguageModel.load(model, engine, observer, tell)


class GenerationStage:
    """The replica. It takes calls at once and refuses work until the models of its start are loaded."""

    def __init__(
        self,
        models: Mapping[str, ModelConfig],
        engine: EngineConfig,
        stage: GenerationStageConfig,
        metrics_directory: str,
        tracing: TracingConfig,
        load: Load = load_model,
        *,
        memory: Memory | None = None,
        joins_loaded: bool = False,
    ) -> None:
        """The first of ``models`` is the one that answers where a request names none. With ``joins_loaded``
        the replica counts as started when the models of its start are loaded, not before: where there are
        others, no request should come to one that refuses it."""
        configure_logging()
        listen_on_node_address()
        self._metrics_directory = open_directory(metrics_directory)
        spans = EngineSpans(open_tracer(tracing, "generation"))
        self._configs = dict(models)
        self._default = next(iter(models))
        self._engine = engine
        self._joins_loaded = joins_loaded
        self._phases = Phases(Path(metrics_directory))
        self._phase: StartPhase | None = None
        self._known: dict[str, EngineStatus] = {}
        self._models = Models(
            {name: placed(model) for name, model in models.items()},
            engine,
            load=load,
            memory=memory or DeviceMemory(stage.models_bytes),
            limited=len(models) > 1 or stage.models_bytes is not None,
            tally=Tally(Observers(EngineMetrics(), spans)),
            counts=ModelMetrics(),
            tell=self._begin,
        )

    def _begin(self, phase: StartPhase | None) -> None:
        self._phase = phase
        if phase is None:
            self._phases.end()
        else:
            self._phases.begin(phase)

    async def answer(self, ask: Ask, *pictures: TexturedPicture) -> Report:
        """The whole answer, or a typed error."""
        began = time.monotonic()
        async with self._models.using(self._named(ask), ask.remaining_s) as model:
            return await model.answer(_later(ask, began), *pictures)

    async def stream(self, ask: Ask, *pictures: TexturedPicture) -> AsyncGenerator[Delta | Report, None]:
        """Deltas, then the report; closing the generator cancels the request in the engine."""
        began = time.monotonic()
        async with self._models.using(self._named(ask), ask.remaining_s) as model:
            events = model.stream(_later(ask, began), *pictures)
            try:
                async for event in events:
                    yield event
            finally:
                if isinstance(events, AsyncGenerator):
                    await events.aclose()

    async def expect(self, model: str) -> None:
        """A request for ``model`` is being prepared: it need not wait for that to be loaded."""
        if self._models.started and not self._models.draining:
            self._models.expect(model or self._default)

    async def status(self) -> EngineStatus:
        """A snapshot; answers while a model is being loaded."""
        engines = {name: each.status() for name, each in self._models.loaded().items()}
        self._known |= engines
        ended = [status for status in engines.values() if not status.ready]
        detail, ready = self._detail(ended[0].detail if ended else "ok")
        progress = None if self._models.failure else self._models.progress
        every = len(engines) == len(self._configs)  # else there is one for which nobody waits in an engine
        shortest = (
            min((status.backlog for status in engines.values()), key=lambda backlog: backlog.seconds)
            if every
            else Backlog()
        )
        return replace(
            self._default_status(),
            ready=ready,
            detail=detail,
            running=sum(status.running for status in engines.values()),
            slots=self._slots(engines.values()),
            waiting=sum(status.waiting for status in engines.values()) + self._models.waiting,
            last_step_age_s=max((status.last_step_age_s for status in engines.values()), default=0.0),
            backlog=shortest,
            loading=progress.told() if progress else None,
            phase=progress.phase if progress else self._phase,
            models=self._models.states(),
        )

    def _detail(self, engines: str) -> tuple[str, bool]:
        if self._models.failure is not None:
            return FAILED + self._models.failure, False
        if self._models.draining:
            return "draining", False
        if self._models.started:
            return engines, engines == "ok"
        progress = self._models.progress
        fetching = progress is not None and progress.phase in ("imports", "download") and progress.told()
        return "downloading the model" if fetching else "loading the model", False

    def _default_status(self) -> EngineStatus:
        """The default model's, as it was when it was last in memory."""
        if self._default in self._known:
            return self._known[self._default]
        config = self._configs[self._default]
        return EngineStatus(
            ready=False,
            detail="",
            model=self._default,
            device=config.device,
            dtype=config.dtype,
            running=0,
            waiting=0,
            slots=self._engine.slots,
            last_step_age_s=0.0,
        )

    async def drain(self, timeout_s: float) -> None:
        """Refuse new work, let what runs finish for ``timeout_s``, then fail the rest."""
        await self._models.drain(timeout_s)

    async def check_health(self) -> None:
        """Ray replaces the replica when this raises: an engine hangs or has died, or loading failed.

        Before it has returned once, Ray sends the replica no request."""
        while self._joins_loaded and not (self._models.started or self._models.failure):
            await asyncio.sleep(0.05)
        status = await self.status()
        if status.last_step_age_s > self._engine.stall_s:
            faulthandler.dump_traceback()  # where it hangs: the process will be gone
            raise RuntimeError(f"the engine made no step for {status.last_step_age_s:.0f} s")
        ended = self._models.started and not status.ready and status.detail != "draining"
        if ended or status.detail.startswith(FAILED):
            raise RuntimeError(status.detail)

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """What Ray Serve's autoscaler hears of this replica; asked every few seconds."""
        engines = [each.status() for each in self._models.loaded().values()]
        return autoscaling.stats(
            sum(status.backlog.tokens for status in engines),
            sum(status.running for status in engines),
            self._slots(engines),
        )

    async def counted(self) -> Counted:
        """What this replica's node has counted."""
        return await asyncio.to_thread(counted, self._metrics_directory)

    def _slots(self, engines: Iterable[EngineStatus]) -> int:
        """Of all models that are loaded; those that one will have while there is none."""
        return sum(status.slots for status in engines) or self._engine.slots

    def _named(self, ask: Ask) -> str:
        """The model that shall answer."""
        if not self._models.started:
            raise EngineClosed("The model is not ready: it is being loaded.", code="not_ready")
        return ask.model or self._default


def _later(ask: Ask, began: float) -> Ask:
    """``ask`` with the time that it still has. Raises DeadlineExceeded where it has none."""
    remaining_s = ask.remaining_s - (time.monotonic() - began)
    if remaining_s <= 0:
        raise DeadlineExceeded("the deadline passed before the model was loaded")
    return replace(ask, remaining_s=remaining_s)


def placed(model: ModelConfig) -> ModelConfig:
    """``model`` with threads where it names none: Ray tells libraries to use one, and on a CPU a model may use
    all that the process has."""
    if model.threads is not None:
        return model
    return model.model_copy(update={"threads": len(os.sched_getaffinity(0))})
