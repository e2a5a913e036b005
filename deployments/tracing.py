"""Spans of every stage, with W3C trace context between processes, sent to a collector by OTLP over HTTP.

Without an endpoint OpenTelemetry's own no-op tracer stands in. Spans never tell what was asked: an
exception is told by its code alone, since its words may quote the request.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import TypeVar

from opentelemetry.context import Context
from opentelemetry.trace import NoOpTracer, Span, SpanKind, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from arr_coc.embedding.types import EmbeddingAsk
from arr_coc.engine.observer import Silent
from arr_coc.errors import ArrCocError
from arr_coc.types import Ask
from deployments.config import TracingConfig

EXPORT_EVERY_MS = 1000  # what a process that is killed may lose
_INSIDE_THE_ENGINE = ("queue", "probe", "relevance", "prefill", "decode")  # one after the other
A = TypeVar("A", Ask, EmbeddingAsk)
_w3c = TraceContextTextMapPropagator()


def open_tracer(config: TracingConfig, stage: str) -> Tracer:
    """The tracer of this process, which is part of ``stage``. Needs the extra ``tracing`` where spans
    are sent; headers for the collector, secrets among them, are read from OTEL_EXPORTER_OTLP_HEADERS."""
    if config.endpoint is None:
        return NoOpTracer()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    provider = TracerProvider(
        resource=Resource.create({"service.name": "arr-coc", "arr_coc.stage": stage}),
        sampler=ParentBased(TraceIdRatioBased(config.sample_ratio)),
    )
    exporter = OTLPSpanExporter(endpoint=f"{config.endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=EXPORT_EVERY_MS))
    return provider.get_tracer("arr-coc-serve")


def context_of(headers: Mapping[str, str]) -> Context:
    """The trace context in ``headers``, or a new one. Never the surrounding one: a header that is no
    sane one starts a trace."""
    return _w3c.extract(headers, context=Context())


def headers_now() -> dict[str, str]:
    """The surrounding trace context as headers; none where there is none."""
    headers: dict[str, str] = {}
    _w3c.inject(headers)
    return headers


def traced(ask: A) -> A:
    """``ask`` with the surrounding trace context, for another process."""
    return replace(ask, trace_headers=headers_now())


def ingress_span(tracer: Tracer, name: str, headers: Mapping[str, str]) -> AbstractContextManager[Span]:
    """A request's own span, within what the client's ``headers`` say; it surrounds its context."""
    return tracer.start_as_current_span(
        name, context_of(headers), SpanKind.SERVER, record_exception=False, set_status_on_exception=False
    )


@contextmanager
def stage_span(tracer: Tracer, name: str, ask: Ask | EmbeddingAsk) -> Iterator[Span]:
    """A span of one stage's work on ``ask``; a failure is told by its code."""
    span = tracer.start_span(name, context_of(ask.trace_headers))
    try:
        yield span
    except BaseException as error:
        code = error.code if isinstance(error, ArrCocError) else type(error).__name__
        failed(span, code)
        raise
    finally:
        span.end()


def failed(span: Span, code: str) -> None:
    """Mark ``span`` as failed with ``code``."""
    span.set_attribute("error.type", code)
    span.set_status(StatusCode.ERROR)


class EngineSpans(Silent):
    """An `Observer` that makes spans of a sequence's times when it has ended."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def finished(
        self, outcome: str, timings_ms: Mapping[str, float], trace_headers: Mapping[str, str]
    ) -> None:
        if not trace_headers:
            return
        ended = time.time_ns()
        at = ended - _nanoseconds(timings_ms["total"])
        whole = self._tracer.start_span("generation", context_of(trace_headers), start_time=at)
        inside = set_span_in_context(whole, Context())
        for name in _INSIDE_THE_ENGINE:
            if name in timings_ms:
                span = self._tracer.start_span(name, inside, start_time=at)
                at += _nanoseconds(timings_ms[name])
                span.end(at)
        if outcome != "ok":
            failed(whole, outcome)
        whole.end(ended)


def _nanoseconds(milliseconds: float) -> int:
    return round(milliseconds * 1e6)
