"""The one table from errors to replies."""

import inspect
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arr_coc import errors as library
from arr_coc.errors import ArrCocError, ConfigError, EngineClosed, InvalidImage, InvalidRequest, Overloaded
from serve_app.errors import MAX_BODY_BYTES, Draining, StageCrashed, describe, outcome_of

LIBRARY = [kind for kind in vars(library).values() if inspect.isclass(kind) and issubclass(kind, ArrCocError)]


@pytest.mark.parametrize(
    ("error", "status", "code", "type_name", "outcome"),
    [
        (InvalidRequest("x"), 400, "invalid_request", "invalid_request_error", "invalid"),
        (InvalidImage("x", code="image_empty"), 400, "image_empty", "invalid_request_error", "invalid"),
        (InvalidRequest("x", code="body_timeout"), 408, "body_timeout", "invalid_request_error", "invalid"),
        (
            InvalidRequest("x", code="body_too_large"),
            413,
            "body_too_large",
            "invalid_request_error",
            "invalid",
        ),
        (Overloaded("x"), 429, "overloaded", "overloaded_error", "overloaded"),
        (Draining("x"), 429, "shutting_down", "overloaded_error", "overloaded"),
        (library.Cancelled("x"), 499, "cancelled", "cancelled", "cancelled"),
        (library.ModelFault("x"), 500, "model_fault", "server_error", "error"),
        (EngineClosed("x"), 503, "shutting_down", "unavailable_error", "error"),
        (StageCrashed("x"), 503, "stage_unavailable", "unavailable_error", "error"),
        (library.DeadlineExceeded("x"), 504, "deadline_exceeded", "timeout_error", "deadline"),
    ],
)
def test_the_table(error: ArrCocError, status: int, code: str, type_name: str, outcome: str) -> None:
    reply = describe(error)
    assert (reply.status, reply.code, reply.type, reply.outcome) == (status, code, type_name, outcome)
    assert json.loads(reply.body) == reply.payload


@pytest.mark.parametrize(
    "error", [RuntimeError("secret"), ConfigError("/secret/path"), TimeoutError(), MemoryError()]
)
def test_what_nobody_foresaw_tells_nothing(error: BaseException) -> None:
    reply = describe(error)
    assert (reply.status, reply.code) == (500, "internal_error")
    assert b"secret" not in reply.body


@pytest.mark.parametrize("kind", LIBRARY)
def test_every_library_error_has_a_status_in_its_family(kind: type[ArrCocError]) -> None:
    status = describe(kind("x")).status
    assert (400 <= status < 500) == issubclass(kind, InvalidRequest | Overloaded | library.Cancelled)


@given(st.text(max_size=600), st.sampled_from(LIBRARY))
def test_bodies_are_short_json(message: str, kind: type[ArrCocError]) -> None:
    reply = describe(kind(message))
    assert len(reply.body) <= MAX_BODY_BYTES
    assert json.loads(reply.body)["error"]["code"] == reply.code


@pytest.mark.parametrize(("seconds", "header"), [(0.0, "1"), (0.2, "1"), (1.01, "2"), (30.0, "30")])
def test_retry_after_is_whole_seconds_rounded_up(seconds: float, header: str) -> None:
    assert describe(Overloaded("x", retry_after_s=seconds)).headers == {"retry-after": header}


def test_headers_only_where_they_help() -> None:
    assert describe(EngineClosed("x")).headers == {"retry-after": "1"}
    assert describe(InvalidRequest("x")).headers == {}
    assert describe(InvalidRequest("x", code="body_too_large")).headers == {"connection": "close"}


def test_outcomes() -> None:
    outcomes = {status: outcome_of(status) for status in (200, 404, 408, 429, 499, 500, 503, 504)}
    assert outcomes == {
        200: "ok",
        404: "invalid",
        408: "invalid",
        429: "overloaded",
        499: "cancelled",
        500: "error",
        503: "error",
        504: "deadline",
    }
