"""The table of chat requests that are refused, and where each is said to be wrong."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arr_coc.status import EngineStatus
from serve_app.errors import StageCrashed
from serve_app.openai.messages import AssistantMessage, ImageUrl, TextPart
from serve_app.openai.request import UNSUPPORTED, ChatRequest, Extension, StreamOptions, TextFormat
from tests.serve_app.fakes import READY, data_url
from tests.serve_app.openai.requests import PICTURE, chat, text, user
from tests.serve_app.site import Site, assert_error, in_process, until_healthy

PATH = "/v1/chat/completions"
JSON = {"content-type": "application/json"}
Row = tuple[dict[str, Any], str, str | None]


def rows(code: str, name: str, *values: Any) -> list[Row]:
    """Rows of values that field ``name`` must not have."""
    return [({name: value}, code, name) for value in values]


def said(message: Any, code: str, param: str) -> Row:
    """A row of one message that must not be."""
    return {"messages": [message]}, code, param


def image(**fields: Any) -> dict[str, Any]:
    """A message that shows a picture with ``fields`` changed."""
    return user({"type": "image_url", "image_url": {"url": data_url(), **fields}})


URL = "messages[0].content[0].image_url.url"
REFUSED: list[Row] = [
    ({"model": None}, "invalid_value", "model"),
    ({"model": "other"}, "model_not_found", "model"),
    *rows("invalid_value", "messages", [], None, "hello", {}, [user(text("x"))] * 129),
    *rows("invalid_value", "max_tokens", 0, -1, True, "16", 16.0, 10**9),
    *rows("invalid_value", "max_completion_tokens", 0, True, "16", 1025),
    *rows("invalid_value", "temperature", -0.1, 2.1, "0", True, 10**400),
    *rows("invalid_value", "top_p", 0, 1.1, "1"),
    *rows("invalid_value", "seed", 2**63, -(2**63) - 1, 0.5, "7"),
    *rows("invalid_value", "stop", "", ["a"] * 5, "x" * 129, 7),
    ({"stop": ["a", ""]}, "invalid_value", "stop[1]"),
    ({"stop": ["a", 7]}, "invalid_value", "stop[1]"),
    *rows("invalid_value", "stream", "true", 1),
    *rows("invalid_value", "ignore_eos", "true", 1),
    *rows("invalid_value", "logprobs", "true", 1, 5),
    *rows("invalid_value", "top_logprobs", -1, 21, True, 2.0, "3"),
    ({"top_logprobs": 3}, "invalid_parameter_combination", "top_logprobs"),
    ({"logprobs": False, "top_logprobs": 3}, "invalid_parameter_combination", "top_logprobs"),
    ({"stream": True, "stream_options": {"include_usage": 1}}, "invalid_value", "stream_options.include_usage"),
    ({"stream": True, "stream_options": {"other": 1}}, "unknown_field", "stream_options"),
    *rows("unsupported_parameter", "n", 2, 0, "1"),
    *rows("unsupported_parameter", "tools", [{"type": "function"}], {}),
    *rows("unsupported_parameter", "tool_choice", "auto", "required", {"type": "function"}),
    *rows("unsupported_parameter", "functions", [{}]),
    *rows("unsupported_parameter", "function_call", "auto"),
    ({"response_format": {"type": "json_object"}}, "unsupported_parameter", "response_format.type"),
    ({"response_format": {"type": "json_schema", "json_schema": {}}}, "unsupported_parameter", "response_format.type"),
    *rows("unsupported_parameter", "logit_bias", {"50256": -100}),
    *rows("unsupported_parameter", "frequency_penalty", 0.5, -0.5),
    *rows("unsupported_parameter", "presence_penalty", 2),
    ({"modalities": ["text", "audio"]}, "unsupported_parameter", "modalities[1]"),
    *rows("unsupported_parameter", "audio", {"voice": "x"}),
    *rows("unsupported_parameter", "web_search_options", {}),
    *rows("unsupported_parameter", "moderation", {"model": "x"}),
    ({"arr_coc": {"explain": 1}}, "invalid_value", "arr_coc.explain"),
    ({"arr_coc": {"visual_token_budget": "64"}}, "invalid_value", "arr_coc.visual_token_budget"),
    ({"arr_coc": {"<script>": 1}}, "unknown_field", "arr_coc"),
    ({"top_k": 5}, "unknown_field", None),
    ({"<script>": 5}, "unknown_field", None),
    ({"messages<": 5}, "unknown_field", None),
    said("hello", "invalid_value", "messages[0]"),
    said({}, "unsupported_role", "messages[0].role"),
    said({"role": "tool", "content": "x", "tool_call_id": "1"}, "unsupported_role", "messages[0].role"),
    said({"role": "<script>", "content": "x"}, "unsupported_role", "messages[0].role"),
    said({"role": 7, "content": "x"}, "unsupported_role", "messages[0].role"),
    said({"role": "user"}, "missing_field", "messages[0].content"),
    said({"role": "user", "content": None}, "invalid_value", "messages[0].content"),
    said({"role": "user", "content": []}, "invalid_value", "messages[0].content"),
    said({"role": "user", "content": "x", "<script>": 1}, "unknown_field", "messages[0]"),
    said(user("x"), "unsupported_content", "messages[0].content[0].type"),
    said(user({"type": "<script>"}), "unsupported_content", "messages[0].content[0].type"),
    said(user({"type": ["text"]}), "unsupported_content", "messages[0].content[0].type"),
    said(user({"type": "input_audio", "input_audio": {}}), "unsupported_content", "messages[0].content[0].type"),
    said(user({"type": "text"}), "missing_field", "messages[0].content[0].text"),
    said(user({"type": "text", "text": 7}), "invalid_value", "messages[0].content[0].text"),
    said(user({"type": "text", "text": "x", "<b>": 1}), "unknown_field", "messages[0].content[0]"),
    said(user({"type": "image_url"}), "missing_field", "messages[0].content[0].image_url"),
    said(user({"type": "image_url", "image_url": data_url()}), "invalid_value", "messages[0].content[0].image_url"),
    said(image(detail="best"), "invalid_value", "messages[0].content[0].image_url.detail"),
    said(image(url=7), "invalid_value", URL),
    said(image(url="x"), "invalid_data_url", URL),
    said(image(url="http://127.0.0.1/x.png"), "url_not_allowed", URL),
    said(image(url="https://example.com/x.png"), "url_not_allowed", URL),
    said({"role": "system", "content": [PICTURE]}, "invalid_value", "messages[0].content[0].type"),
    said(
        {"role": "assistant", "content": "x", "tool_calls": [{}]}, "unsupported_parameter", "messages[0].tool_calls"
    ),
    said(
        {"role": "assistant", "content": "x", "function_call": {}}, "unsupported_parameter", "messages[0].function_call"
    ),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "code", "param"), REFUSED)
async def test_fields(site: Site, fields: dict[str, Any], code: str, param: str | None) -> None:
    response = await site.client.post(PATH, content=json.dumps(chat(**fields)), headers=JSON)
    error = assert_error(response, 404 if code == "model_not_found" else 400, code)
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"
    assert "script" not in response.text
    assert site.texture.asks == []


@pytest.mark.parametrize("name", ["model", "messages"])
async def test_what_is_left_out(site: Site, name: str) -> None:
    body = {key: value for key, value in chat().items() if key != name}
    assert assert_error(await site.client.post(PATH, json=body), 400, "missing_field")["param"] == name


async def test_forms_are_not_taken(site: Site) -> None:
    response = await site.client.post(PATH, data={"model": "fake"}, files={"image": b"x"})
    assert_error(response, 415, "unsupported_media_type")


@pytest.mark.parametrize("value", ["[]", "7", '"text"', "null"])
async def test_json_that_is_no_object(site: Site, value: str) -> None:
    assert_error(await site.client.post(PATH, content=value, headers=JSON), 400, "invalid_type")


async def test_nothing_is_listed_or_asked_while_the_model_loads(site: Site) -> None:
    site.generation.state = type(READY)(
        False, "loading weights", "fake", "cpu", "none", running=0, waiting=0, slots=4, last_step_age_s=0.0
    )
    await until_healthy(site, 503)
    for response in (
        await site.client.get("/v1/models"),
        await site.client.get("/v1/models/fake"),
        await site.client.post(PATH, json=chat()),
    ):
        assert_error(response, 503, "not_ready")
        assert response.headers["retry-after"] == "1"


def test_every_field_says_what_it_must_be() -> None:
    for model in (ChatRequest, AssistantMessage, TextPart, ImageUrl, StreamOptions, Extension, TextFormat):
        assert [name for name, field in model.model_fields.items() if not field.description] in ([], ["role"])
    assert set(ChatRequest.model_fields) | {"tool_calls"} > UNSUPPORTED


async def test_a_model_that_is_gone_meanwhile_is_not_said_to_be_unknown(site: Site) -> None:
    gate = asyncio.Event()

    async def gone() -> EngineStatus:
        gate.set()
        raise StageCrashed("gone")

    async def body() -> AsyncIterator[bytes]:
        site.generation.look = gone
        await gate.wait()
        await asyncio.sleep(0)
        yield json.dumps(chat()).encode()

    assert_error(await site.client.post(PATH, content=body(), headers=JSON), 503, "not_ready")


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
PARTS = st.sampled_from([PICTURE, text("x")]) | st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image_url", "file"]) | ANY_JSON},
    optional={"text": ANY_JSON, "image_url": ANY_JSON},
)
MESSAGES = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["user", "system", "assistant", "tool"]),
        "content": st.lists(PARTS, max_size=3) | ANY_JSON,
    },
    optional={"name": ANY_JSON, "tool_calls": ANY_JSON},
)
NAMES = st.sampled_from(
    ["stop", "n", "tools", "stream", "stream_options", "arr_coc", "seed", "logit_bias", "metadata"]
)
BODIES = st.builds(
    lambda fields, messages: chat(**fields, messages=messages),
    st.dictionaries(NAMES, ANY_JSON, max_size=2),
    st.lists(MESSAGES | ANY_JSON, max_size=3),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bodies=st.lists(BODIES, min_size=5, max_size=10))
def test_no_body_makes_a_server_error(bodies: list[Any]) -> None:
    async def ask() -> None:
        async with in_process() as site:
            for body in bodies:
                response = await site.client.post(PATH, content=json.dumps(body).encode(), headers=JSON)
                assert response.status_code in (200, 400)
                assert response.status_code == 200 or len(response.content) <= 512
            assert site.pipeline.in_flight == 0

    asyncio.run(ask())
