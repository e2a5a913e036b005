"""Prometheus metrics of every stage. Knows the names, not who serves them.

Names are vLLM's, and Triton's ``failure`` by ``reason``, where the meaning is the same, with the prefix
``arr_coc_``; so are buckets, cut at what a deadline allows and refined where a small model is faster than
the smallest. Labels are closed sets: routes, outcomes, codes. Call `open_directory` before making any.
"""

from collections.abc import Iterable, Mapping
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from arr_coc.answers import Report
from arr_coc.engine.observer import BatchKind, Shareable
from arr_coc.types import FinishReason, Route

SECONDS = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
    160.0,
)  # fmt: skip
TOKEN_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128)
TOKENS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)
PATCHES = (0, 1, 2, 3, 4, 6, 8)

SHARED: dict[Shareable, tuple[str, str]] = {
    "pictures": ("mm_cache", "Views of pictures"),
    "prefix_tokens": ("prefix_cache", "Tokens up to the end of a first picture"),
}

STAGES = {
    "queue": ("request_queue_time_seconds", "Time a sequence waited for a slot."),
    "probe": ("probe_time_seconds", "Time from a slot to the last probe's end."),
    "relevance": ("relevance_time_seconds", "Time to allocate tokens to patches."),
    "prefill": ("request_prefill_time_seconds", "Time of the answer's prefill, its wait for a batch included."),
    "first_token": ("time_to_first_token_seconds", "Engine time until the first token."),
    "decode": ("request_decode_time_seconds", "Time from the first token to the last."),
    "total": ("e2e_request_latency_seconds", "Engine time of a whole request, its queue included."),
}  # fmt: skip
OUTCOMES = ("ok", "invalid", "overloaded", "cancelled", "deadline", "error")
FAILURES = ("error", "cancelled", "deadline")
_PREFIX = "arr_coc"


class Metrics:
    """One stage's metrics; each set has a registry of its own, so that a second does not clash."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, namespace=_PREFIX, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(
            name, text, labels, namespace=_PREFIX, registry=self.registry, multiprocess_mode="livesum"
        )

    def _histogram(self, name: str, text: str, buckets: Iterable[float], *labels: str) -> Histogram:
        return Histogram(
            name, text, labels, namespace=_PREFIX, registry=self.registry, buckets=tuple(buckets)
        )


class RequestMetrics(Metrics):
    """Counts requests at the edge. ``endpoints`` are those that may be told."""

    def __init__(self, endpoints: Iterable[str] = ()) -> None:
        super().__init__()
        self._requests = self._counter(
            "requests", "Requests ended, by endpoint and outcome.", "endpoint", "outcome"
        )
        self._errors = self._counter(
            "errors", "Requests that failed or were left, by the error's code.", "code"
        )
        self._seconds = self._histogram(
            "http_request_duration_seconds",
            "Time from a request's headers to the last byte of its response.",
            SECONDS,
            "endpoint",
        )
        self._ready = self._gauge("ready", "Processes at the edge that take requests, as /health says.")
        for endpoint in endpoints:  # so that a rate exists before the first of each
            for outcome in OUTCOMES:
                self._requests.labels(endpoint, outcome)
            self._seconds.labels(endpoint)

    def finished(self, endpoint: str, outcome: str, code: str | None, seconds: float) -> None:
        """A request of ``endpoint`` ended after ``seconds`` in ``outcome``, where it failed with ``code``."""
        self._requests.labels(endpoint, outcome).inc()
        self._seconds.labels(endpoint).observe(seconds)
        if code is not None:
            self._errors.labels(code).inc()

    def ready(self, ready: bool) -> None:
        """Whether this process takes requests now."""
        self._ready.set(ready)


class TextureMetrics(Metrics):
    """Times of the texture stage."""

    def __init__(self) -> None:
        super().__init__()
        self._queue = self._histogram(
            "texture_queue_time_seconds", "Time a picture waited for a thread of the texture stage.", SECONDS
        )
        self._work = self._histogram(
            "texture_time_seconds", "Time to decode and measure a picture, or to refuse it.", SECONDS
        )

    def prepared(self, queue_s: float, work_s: float) -> None:
        """A picture was prepared or refused, ``queue_s`` seconds after its arrival, in ``work_s``."""
        self._queue.observe(queue_s)
        self._work.observe(work_s)


class BatchMetrics(Metrics):
    """Forwards, by ``kind``; whoever runs some of other kinds tells them by the same names."""

    def __init__(self, kinds: Iterable[str]) -> None:
        super().__init__()
        self._rows = self._histogram("batch_rows", "Sequences in a forward.", ROWS, "kind")
        self._tokens = self._histogram("batch_tokens", "Real tokens in a forward.", TOKENS, "kind")
        self._padding = self._counter("batch_padding_tokens", "Padding tokens computed for nothing.", "kind")
        self._seconds = self._histogram("batch_time_seconds", "Duration of a forward.", SECONDS, "kind")
        for kind in kinds:
            for metric in (self._rows, self._tokens, self._padding, self._seconds):
                metric.labels(kind)

    def batch(self, kind: str, rows: int, tokens: int, padded_tokens: int, seconds: float) -> None:
        self._rows.labels(kind).observe(rows)
        self._tokens.labels(kind).observe(tokens)
        self._padding.labels(kind).inc(padded_tokens - tokens)
        self._seconds.labels(kind).observe(seconds)


class EngineMetrics(BatchMetrics):
    """The engine's `Observer`; make one per process."""

    def __init__(self) -> None:
        super().__init__(get_args(BatchKind))
        self._stages = {key: self._histogram(name, text, SECONDS) for key, (name, text) in STAGES.items()}
        self._success = self._counter(
            "request_success", "Sequences answered, by what ended the answer.", "finished_reason"
        )
        self._failure = self._counter("request_failure", "Sequences that ended without an answer.", "reason")
        self._prompt_tokens = self._histogram(
            "request_prompt_tokens", "Tokens of an answered prompt, visual tokens included.", TOKENS
        )
        self._generation_tokens = self._histogram("request_generation_tokens", "Tokens of an answer.", TOKENS)
        self._token_seconds = self._histogram(
            "request_time_per_output_token_seconds", "Mean time of a token after the first.", TOKEN_SECONDS
        )
        self._looked_up = {
            what: (
                self._counter(f"{name}_queries", f"{text} needed."),
                self._counter(f"{name}_hits", f"{text} not computed again."),
            )
            for what, (name, text) in SHARED.items()
        }
        self._kept = self._gauge("shared_bytes", "Bytes kept of pictures for those who ask about them again.")
        self._visual_tokens = self._histogram(
            "request_visual_tokens", "Visual tokens encoded for an answer.", TOKENS, "route"
        )
        self._native_tokens = self._counter(
            "native_visual_tokens", "Visual tokens that native resolution would have taken.", "route"
        )
        self._patches = self._histogram("request_patches", "Patches looked at closer, route zoom.", PATCHES)
        self._running = self._gauge("num_requests_running", "Sequences that hold a slot.")
        self._waiting = self._gauge("num_requests_waiting", "Sequences queued for a slot.")
        self._waiting_tokens = self._gauge(
            "num_tokens_waiting", "Tokens to compute of sequences queued for a slot."
        )
        self._slots = self._gauge("slots", "Slots in all; 0 until a model is loaded.")
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """Every series is there from the start: a rate does not count what a series begins with."""
        for reason in FAILURES:
            self._failure.labels(reason)
        for ending in get_args(FinishReason):
            self._success.labels(ending)
        for route in get_args(Route):
            self._visual_tokens.labels(route)
            self._native_tokens.labels(route)

    def occupancy(self, running: int, waiting: int, slots: int, waiting_tokens: int) -> None:
        self._running.set(running)
        self._waiting.set(waiting)
        self._waiting_tokens.set(waiting_tokens)
        self._slots.set(slots)

    def looked_up(self, what: Shareable, queried: int, found: int) -> None:
        queries, hits = self._looked_up[what]
        queries.inc(queried)
        hits.inc(found)

    def kept(self, kept_bytes: int) -> None:
        self._kept.set(kept_bytes)

    def answered(self, report: Report) -> None:
        usage = report.usage
        self._success.labels(report.finish_reason).inc()
        self._prompt_tokens.observe(usage.prompt_tokens)
        self._generation_tokens.observe(usage.completion_tokens)
        self._visual_tokens.labels(report.route).observe(usage.visual_tokens)
        self._native_tokens.labels(report.route).inc(report.native_tokens)
        if report.allocation is not None:
            self._patches.observe(len(report.allocation.patches))
        if usage.completion_tokens > 1:
            decode_s = report.timings_ms["decode"] / 1000
            self._token_seconds.observe(decode_s / (usage.completion_tokens - 1))

    def finished(
        self, outcome: str, timings_ms: Mapping[str, float], trace_headers: Mapping[str, str]
    ) -> None:
        if outcome != "ok":
            self._failure.labels(outcome).inc()
        for stage in self._stages.keys() & timings_ms.keys():
            self._stages[stage].observe(timings_ms[stage] / 1000)
