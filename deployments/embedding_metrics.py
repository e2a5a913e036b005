"""Prometheus metrics of the embedding stage. Forwards are told by the engine's own names, by ``kind``."""

from typing import get_args

from arr_coc.embedding.types import Kind
from deployments.metrics import SECONDS, BatchMetrics

ENDINGS = ("ok", "error", "cancelled", "deadline")


class EmbeddingMetrics(BatchMetrics):
    """The embedding's observer; make one per process."""

    def __init__(self) -> None:
        super().__init__(get_args(Kind))
        self._inputs = self._counter(
            "embedding_inputs",
            "Texts and pictures that left the queue, by kind and outcome.",
            "kind",
            "outcome",
        )
        self._queue = self._histogram(
            "embedding_queue_time_seconds", "Time a text or picture waited for its forward.", SECONDS, "kind"
        )
        self._prepared = self._histogram(
            "embedding_prepare_time_seconds", "Time to decode and frame a picture, or to refuse it.", SECONDS
        )
        self._queries = self._counter("embedding_cache_queries", "Vectors of texts and pictures needed.")
        self._hits = self._counter("embedding_cache_hits", "Vectors not computed again.")
        self._waiting = self._gauge("embedding_inputs_waiting", "Texts and pictures that wait for a forward.")
        for kind in get_args(Kind):
            self._queue.labels(kind)
            for outcome in ENDINGS:
                self._inputs.labels(kind, outcome)

    def waiting(self, inputs: int) -> None:
        self._waiting.set(inputs)

    def prepared(self, seconds: float) -> None:
        self._prepared.observe(seconds)

    def looked_up(self, queried: int, found: int) -> None:
        self._queries.inc(queried)
        self._hits.inc(found)

    def ended(self, kind: Kind, outcome: str, queue_s: float) -> None:
        self._inputs.labels(kind, outcome).inc()
        self._queue.labels(kind).observe(queue_s)
