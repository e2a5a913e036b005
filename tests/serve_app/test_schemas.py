"""Questions read strictly, and data URLs."""

import base64
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arr_coc.errors import InvalidRequest
from arr_coc.types import Ask, Sampling
from serve_app.data_url import decode_data_url
from serve_app.schemas import QuestionLimits, read_question

LIMITS = QuestionLimits(max_new_tokens=600, max_query_chars=100)


def read(**fields: Any) -> Ask:
    """The ask made of ``fields`` over a minimal good request."""
    return read_question({"image": b"x", "query": "q", **fields}, LIMITS).ask("id", 9.0)


def test_defaults() -> None:
    expected = Ask("id", "q", Sampling(512, 0.0, 1.0, None, ignore_eos=False), None, 9.0)
    assert read() == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"max_tokens": 1},
        {"max_tokens": 600},
        {"temperature": 2},
        {"top_p": 1},
        {"seed": 0},
        {"seed": 2**63 - 1},
        {"seed": None},
        {"visual_token_budget": None},
        {"visual_token_budget": -5},  # what is allowed is the model's to say
        {"query": "x" * 100},
    ],
)
def test_edges_that_are_inside(fields: dict[str, Any]) -> None:
    read(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"max_tokens": 601},
        {"query": "x" * 101},
        {"seed": 2**63},
        {"top_p": 0},
        {"top_p": nan},
        {"temperature": inf},
    ],
)
def test_edges_that_are_outside(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        read(**fields)


@given(st.binary(max_size=100), st.sampled_from(["png", "jpeg", "svg+xml", "x-y.z"]))
def test_data_urls_give_their_bytes(image: bytes, kind: str) -> None:
    payload = base64.b64encode(image).decode()
    assert decode_data_url(f"data:image/{kind};base64,{payload}") == image
    assert decode_data_url(f"DATA:Image/{kind.upper()};Base64,{payload}") == image


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "iVBORw0KGgo=",
        "data:",
        "data:,",
        "data:text/html;base64,AAAA",
        "data:image/png,AAAA",
        "data:image/png;base64",
        "data:image/png;base64AAAA",
        "data:image/png;charset=utf-8;base64,AAAA",
        "data:image/;base64,AAAA",
        "data:image/png;base64,A",
        "data:image/png;base64,AA",
        "data:image/png;base64,AAA",
        "data:image/png;base64,AAAA=",
        "data:image/png;base64,AAAAA===",
        "data:image/png;base64,====",
        "data:image/png;base64,AA==AAAA",
        "data:image/png;base64,AAAA,AAAA",
        "data:image/png;base64,AA AA",
        "data:image/png;base64,AAAA\n",
        "data:image/png;base64, AAAA",
        " data:image/png;base64,AAAA",
        "data:image/png;base64,AA-_",
        "data:image/png;base64,AA%3D",
        "data:image/png;base64,\u00e9AAA",
        "data:image/png;base64,AAA\u0660",
    ],
)
def test_what_is_no_data_url(url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_data_url(url)
    assert (caught.value.code, caught.value.param) == ("invalid_data_url", "image")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x.png",
        "HTTPS://example.com/x.png",
        "http://169.254.169.254/latest",
        "http://[::ffff:127.0.0.1]/",
        "http:\\\\127.0.0.1\\x",
        "\\\\host\\share",
        "//host/x.png",
        "file:///etc/passwd",
        "gs://bucket/x",
        "ftp://host/x",
        " http://host/",
        "javascript:alert(1)",
    ],
)
def test_urls_that_point_anywhere(url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_data_url(url)
    assert caught.value.code == "url_not_allowed"
    assert url.strip() not in caught.value.message
