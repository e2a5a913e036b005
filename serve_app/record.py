"""What is told of a request when it has ended: one line in the log, one count in the metrics.

Of what was asked it holds numbers and names of this project's alone, never words of a client.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from starlette.types import Scope

from arr_coc.answers import Report
from serve_app.errors import ErrorReply, outcome_of

OTHER = "other"  # the endpoint of a path that asks for no work
_log = logging.getLogger("serve_app.request")


class RequestObserver(Protocol):
    """Told about every request that asks for work, and whether any are taken; must return at once and never
    raise."""

    def finished(self, endpoint: str, outcome: str, code: str | None, seconds: float) -> None:
        """``endpoint`` is a route's name, ``batch_item`` for one of a batch, or ``other``;
        ``outcome`` one of ``ok invalid overloaded cancelled deadline error``; ``code`` an error's."""

    def ready(self, ready: bool) -> None:
        """Whether requests are taken now, as ``/health`` says."""


@dataclass
class Record:
    """One request as log, metrics and traces tell it. Handlers fill in what only they know."""

    request_id: str
    endpoint: str
    method: str = "POST"
    tenant: str = ""  # the label of its key
    status: int = 0
    code: str | None = None  # of the error, also of one inside a stream
    outcome: str | None = None  # where it differs from what the status says
    report: Mapping[str, object] = field(default_factory=dict)  # of an answer, in numbers
    traceparent: str = ""  # of its span, where it has one
    complete: bool = False  # the last byte has been handed over

    def answered(self, report: Report) -> None:
        """There is a whole answer."""
        self.report = {
            "route": report.route,
            "prompt_tokens": report.usage.prompt_tokens,
            "completion_tokens": report.usage.completion_tokens,
            "visual_tokens": report.usage.visual_tokens,
            "finish_reason": report.finish_reason,
            "timings_ms": dict(report.timings_ms),
        }

    def ended(self, status: int) -> None:
        """The whole response is known, which others send."""
        self.status, self.complete = status, True

    def failed(self, reply: ErrorReply) -> None:
        """The request ended in ``reply``, whether or not its status could still be sent."""
        self.code, self.outcome = reply.code, reply.outcome

    @property
    def trace_id(self) -> str | None:
        return self.traceparent.split("-")[1] if self.traceparent else None

    def tells(self) -> str:
        """The outcome, from the status where nobody said otherwise; a reply that was cut short
        without an error was cut by the client."""
        return self.outcome or (outcome_of(self.status) if self.complete else "cancelled")


def record_of(scope: Scope) -> Record:
    """The record of the request that ``scope`` belongs to."""
    record = scope["arr_coc.record"]
    assert isinstance(record, Record)
    return record


def tell(record: Record, observer: RequestObserver, seconds: float) -> None:
    """Count and log one request that asked for work, which took ``seconds``."""
    observer.finished(record.endpoint, record.tells(), record.code, seconds)
    _log.info(line(record, seconds))


def line(record: Record, seconds: float) -> dict[str, object]:
    """``record`` as the log tells it; docs/operating.md says what each field is."""
    return {
        "event": "request",
        "request_id": record.request_id,
        "trace_id": record.trace_id,
        "tenant": record.tenant or None,
        "endpoint": record.endpoint,
        "method": record.method,
        "status": record.status,
        "outcome": record.tells(),
        "code": record.code,
        "ms": round(seconds * 1000, 1),
        **record.report,
    }
