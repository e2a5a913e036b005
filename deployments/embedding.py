"""The embedding stage: one replica that owns a CLIP or SigLIP and gathers what is asked of it.

Weights load in a thread, as the generation stage's do. Knows neither HTTP nor what vectors are for.
"""

import asyncio
import gc
import logging
import threading
import time
import traceback
from collections.abc import Callable
from typing import Protocol

from arr_coc.decoding import PictureLimits
from arr_coc.embedding.config import EmbeddingConfig
from arr_coc.embedding.observer import EmbeddingObserver
from arr_coc.embedding.types import Embedded, EmbeddingAsk, EmbeddingStatus, Labelled
from arr_coc.errors import ArrCocError, EngineClosed
from arr_coc.model.source import downloading
from deployments.config import FAILED, EmbeddingStageConfig, TracingConfig
from deployments.embedding_metrics import EmbeddingMetrics
from deployments.gathering import Counted, counted
from deployments.generation import placed
from deployments.listening import listen_on_node_address
from deployments.logs import configure_logging
from deployments.scraping import open_directory
from deployments.tracing import open_tracer, stage_span

_log = logging.getLogger(__name__)


class EmbeddingModel(Protocol):
    """What the stage needs of a loaded model; ``arr_coc.embedding.embedder.Embedder`` is one."""

    async def embed(self, ask: EmbeddingAsk) -> Embedded: ...
    async def label(self, ask: EmbeddingAsk) -> Labelled: ...
    def status(self) -> EmbeddingStatus: ...
    async def drain(self, timeout_s: float) -> None: ...


LoadEmbedding = Callable[[EmbeddingConfig, PictureLimits, EmbeddingObserver], EmbeddingModel]


def load_embedder(
    config: EmbeddingConfig, pictures: PictureLimits, observer: EmbeddingObserver
) -> EmbeddingModel:
    """Import the libraries, load the weights, run a forward of each kind. Raises ModelLoadError."""
    gc.disable()  # as for the generation stage: the imports make objects that all stay
    try:
        from arr_coc.embedding.embedder import Embedder
    finally:
        gc.freeze()
        gc.enable()
    return Embedder.load(config, pictures, observer)


class EmbeddingStage:
    """The replica. It takes calls at once and refuses work until the model is loaded."""

    def __init__(
        self,
        config: EmbeddingStageConfig,
        pictures: PictureLimits,
        metrics_directory: str,
        tracing: TracingConfig,
        load: LoadEmbedding = load_embedder,
    ) -> None:
        configure_logging()
        listen_on_node_address()
        self._metrics_directory = open_directory(metrics_directory)
        self._observer = EmbeddingMetrics()
        self._tracer = open_tracer(tracing, "embedding")
        self._config = config
        self._pictures = pictures
        self._load = load
        self._detail = "loading the embedding model"
        self._loaded_model: EmbeddingModel | None = None
        threading.Thread(target=self._run_load, name="load", daemon=True).start()

    def _run_load(self) -> None:
        started = time.monotonic()
        try:
            config = self._config.model_copy(update={"threads": placed(self._config.model).threads})
            self._loaded_model = self._load(config, self._pictures, self._observer)
            _log.info("embedding model loaded and warm after %.2f s", time.monotonic() - started)
        except ArrCocError as error:
            self._detail = FAILED + error.message
        except Exception:
            _log.error("the embedding model could not be loaded\n%s", traceback.format_exc())
            self._detail = FAILED + "unforeseen error while loading the embedding model, see the log"

    async def embed(self, ask: EmbeddingAsk) -> Embedded:
        """The vectors of all inputs, or a typed error."""
        with stage_span(self._tracer, "embedding", ask):
            return await self._model().embed(ask)

    async def label(self, ask: EmbeddingAsk) -> Labelled:
        """How likely each label is of the picture, the first input; or a typed error."""
        with stage_span(self._tracer, "embedding", ask):
            return await self._model().label(ask)

    async def status(self) -> EmbeddingStatus:
        """A snapshot; answers while the model is still loading."""
        if self._loaded_model is not None:
            return self._loaded_model.status()
        model = self._config.model
        failed = self._detail.startswith(FAILED)
        loading = None if failed else downloading(model.source)
        return EmbeddingStatus(
            ready=False,
            detail=self._detail if loading is None else "downloading the embedding model",
            model=model.served_name,
            device=model.device,
            dtype=model.dtype,
            running=0,
            waiting=0,
            slots=self._config.max_batch,
            last_step_age_s=0.0,
            loading=loading,
        )

    async def drain(self, timeout_s: float) -> None:
        """Refuse new work, let what runs finish for ``timeout_s``, then fail the rest."""
        if self._loaded_model is not None:
            await self._loaded_model.drain(timeout_s)

    async def check_health(self) -> None:
        """Ray replaces the replica when this raises: its thread hangs or has died, or loading failed."""
        status = await self.status()
        if status.last_step_age_s > self._config.stall_s:
            raise RuntimeError(f"a forward has run for {status.last_step_age_s:.0f} s")
        ended = self._loaded_model is not None and not status.ready and status.detail != "draining"
        if ended or status.detail.startswith(FAILED):
            raise RuntimeError(status.detail)

    async def counted(self) -> Counted:
        """What this replica's node has counted."""
        return await asyncio.to_thread(counted, self._metrics_directory)

    def _model(self) -> EmbeddingModel:
        if self._loaded_model is None:
            raise EngineClosed(f"The embedding model is not ready: {self._detail}.", code="not_ready")
        return self._loaded_model
