"""The description tells the truth: of every route and status, of requests, and of what is answered."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from fastapi.openapi.models import OpenAPI
from jsonschema import Draft202012Validator, ValidationError
from starlette.routing import Route

from serve_app.errors import STATUSES
from serve_app.openapi.document import document
from tests.serve_app.fakes import PNG, READY, question
from tests.serve_app.openai.requests import chat
from tests.serve_app.site import Site, events_of, until_healthy

DOCUMENT = document("fake", 64, "0", embedding="fake-clip")
LOCKED = document("fake", 64, "0", open_paths=(), embedding="fake-clip")
CALLS = [
    (path, method, call) for path, methods in DOCUMENT["paths"].items() for method, call in methods.items()
]
EXAMPLES = [
    pytest.param(path, example["value"], id=f"{path} {name}")
    for path, _, call in CALLS
    for body in call.get("requestBody", {}).get("content", {}).values()
    for name, example in body.get("examples", {}).items()
]


def conforms(value: Any, schema: dict[str, Any]) -> None:
    """``value`` is what ``schema``, a part of the document, says."""
    Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


def named(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def answer_of(path: str, media_type: str = "application/json", method: str = "post") -> dict[str, Any]:
    """The documented schema of a 200."""
    content = DOCUMENT["paths"][path][method]["responses"]["200"]["content"]
    schema: dict[str, Any] = content[media_type]["schema"]
    return schema


async def test_it_is_served_as_it_is(site: Site) -> None:
    first, second = [await site.client.get("/openapi.json") for _ in range(2)]
    assert first.content == second.content
    assert first.json() == DOCUMENT
    assert first.headers["content-type"] == "application/json"


async def test_it_is_served_while_the_model_loads(site: Site) -> None:
    site.generation.state = replace(READY, ready=False, detail="loading weights")
    await until_healthy(site, 503)
    assert (await site.client.get("/openapi.json")).status_code == 200


async def test_every_route_is_in_it_and_no_other(site: Site) -> None:
    routes = {
        (route.path.replace(":path}", "}"), method.lower())
        for route in site.app.routes
        if isinstance(route, Route) and not route.path.startswith("/playground/")  # the page's files
        for method in route.methods or ()
        if method != "HEAD"
    }
    assert {(path, method) for path, method, _ in CALLS} == routes


def test_every_error_status_is_in_it_and_no_other() -> None:
    for told, statuses in ((DOCUMENT, STATUSES - {401}), (LOCKED, STATUSES)):
        calls = [call for methods in told["paths"].values() for call in methods.values()]
        assert {int(status) for call in calls for status in call["responses"]} - {200} == statuses
        assert len(told["components"]["responses"]) == len(statuses)


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from [value["$ref"]] if "$ref" in value else []
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _references(each)


def test_it_is_valid_and_whole() -> None:
    OpenAPI.model_validate(LOCKED)
    OpenAPI.model_validate(DOCUMENT)
    for reference in _references(DOCUMENT):
        place: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(("path", "example"), EXAMPLES)
async def test_its_examples_are_answered_as_it_says(site: Site, path: str, example: Any) -> None:
    body = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    conforms(example, body["schema"])
    response = await site.client.post(path, json=example)
    assert response.status_code == 200, response.text
    assert site.texture.images or site.embedding.asks
    if response.headers["content-type"] == "application/json":
        conforms(response.json(), answer_of(path))


def test_every_way_to_ask_has_an_example() -> None:
    assert {path for path, method, _ in CALLS if method == "post"} == {param.values[0] for param in EXAMPLES}


async def test_forms_are_answered_as_it_says(site: Site) -> None:
    form = DOCUMENT["paths"]["/vqa"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    fields = DOCUMENT["components"]["schemas"][form["$ref"].rpartition("/")[2]]["properties"]
    values = {
        "query": "x",
        "max_tokens": "7",
        "temperature": "0",
        "top_p": "1",
        "seed": "1",
        "ignore_eos": "true",
    }
    values |= {"visual_token_budget": "99", "explain": "true"}
    assert set(fields) == {"image", *values}
    response = await site.client.post("/vqa", data=values, files={"image": PNG})
    conforms(response.json(), answer_of("/vqa"))


@pytest.mark.parametrize("zoomed", [True, False])
async def test_streams_are_what_it_says(site: Site, zoomed: bool) -> None:
    if not zoomed:
        site.generation.allocation = None
    native = await site.client.post("/stream_generate", json=question(explain=True))
    *texts, (_, last), _ = events_of(native.text)
    for name, data in events_of(native.text):
        event = {"event": name, "data": data if data == "[DONE]" else json.dumps(data)}
        conforms(event, answer_of("/stream_generate", "text/event-stream"))
    for _, data in texts:
        conforms(data, named("StreamedText"))
    conforms(last, named("ReplyWithoutAnswer"))
    options = {"stream": True, "stream_options": {"include_usage": True}}
    told = {"stream": True, "logprobs": True, "top_logprobs": 2}
    for fields in (options, told, {"stream": True, "arr_coc": {"explain": True}}):
        chunks = await site.client.post("/v1/chat/completions", json=chat(**fields))
        for _, data in events_of(chunks.text)[:-1]:
            conforms(data, named("Chunk"))
    whole = await site.client.post("/v1/chat/completions", json=chat(logprobs=True, top_logprobs=2))
    conforms(whole.json(), answer_of("/v1/chat/completions"))


def test_fields_that_do_not_go_together_are_told() -> None:
    taken = chat(stream=True, stream_options={}, logprobs=True, top_logprobs=2, max_tokens=None)
    conforms(taken, named("ChatRequest"))
    for fields in (
        {"stream_options": {}},
        {"top_logprobs": 2},
        {"logprobs": False, "top_logprobs": 2},
        {"max_tokens": 2, "max_completion_tokens": 2},
    ):
        with pytest.raises(ValidationError):
            conforms(chat(**fields), named("ChatRequest"))


async def test_batches_and_errors_are_what_it_says(site: Site) -> None:
    mixed = await site.client.post("/batch_predict", json=[question(), question(top_p=7)])
    conforms(mixed.json(), answer_of("/batch_predict"))
    refused = [
        await site.client.post("/v1/chat/completions", json=chat(model="other")),
        await site.client.post("/vqa", json={}),
        await site.client.get("/vqa"),
        await site.client.get("/nowhere"),
    ]
    for response in refused:
        conforms(response.json(), named("ErrorBody"))
    assert [response.status_code for response in refused] == [404, 400, 405, 404]


async def test_what_only_looks_is_answered_as_it_says(site: Site) -> None:
    for path in ("/live", "/health", "/v1/models"):
        conforms((await site.client.get(path)).json(), answer_of(path, method="get"))
    one = await site.client.get("/v1/models/fake")
    conforms(one.json(), answer_of("/v1/models/{model}", method="get"))
    for path in ("/metrics", "/"):
        told = (await site.client.get(path)).headers["content-type"].partition(";")[0]
        assert list(DOCUMENT["paths"][path]["get"]["responses"]["200"]["content"]) == [told]
    await site.pipeline.drain(timeout_s=0)
    unavailable = DOCUMENT["paths"]["/health"]["get"]["responses"]["503"]["content"]["application/json"]
    conforms((await site.client.get("/health")).json(), unavailable["schema"])


def test_it_can_be_written_down() -> None:
    assert json.loads(json.dumps(DOCUMENT, allow_nan=False)) == DOCUMENT
