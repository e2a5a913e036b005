"""Prometheus metrics of the start, and of the models that come and go. By the rules of `deployments.metrics`."""

from collections.abc import Mapping

from deployments.metrics import SECONDS, Metrics


class StartMetrics(Metrics):
    """How long the start took; told by the process that was started."""

    def __init__(self) -> None:
        super().__init__()
        self._seconds = self._gauge(
            "startup_seconds", "Duration of each phase of the start; ready is all of it.", "phase"
        )

    def started(self, phases: Mapping[str, float]) -> None:
        """The server is ready; ``phases`` took so many seconds, some of them beside others."""
        for phase, seconds in phases.items():
            self._seconds.labels(phase).set(seconds)


class ModelMetrics(Metrics):
    """What becomes of the models; `deployments.models.Counts`."""

    def __init__(self) -> None:
        super().__init__()
        self._loaded = self._gauge("models_loaded", "Models in memory.")
        self._swaps = self._counter("model_swaps", "Models let go because another one was asked for.")
        self._seconds = self._histogram(
            "model_load_seconds", "Time to load a model, its download included.", SECONDS
        )
        self._waits = self._histogram(
            "model_queue_time_seconds", "Time a request waited for its model to be loaded.", SECONDS
        )

    def loaded(self, models: int, seconds: float) -> None:
        self._loaded.set(models)
        self._seconds.observe(seconds)

    def let_go(self, models: int) -> None:
        self._loaded.set(models)
        self._swaps.inc()

    def waited(self, seconds: float) -> None:
        self._waits.observe(seconds)
