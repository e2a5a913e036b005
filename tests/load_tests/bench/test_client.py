import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from load_tests.bench.client import over_http
from load_tests.bench.driving import Reply
from load_tests.bench.mixes import Request
from load_tests.bench.outcome import LOST
from load_tests.bench.peers import SPEECHES

REQUEST = Request(b"\x89PNG of some kind", "what is it?", "a star", max_tokens=3, forced=True)
EVENTS = [
    {"choices": [{"delta": {"role": "assistant"}}]},
    {"choices": [{"delta": {"content": "a "}}]},
    {"choices": [{"delta": {"content": "star"}, "finish_reason": "length"}]},
    {"choices": [], "usage": {"completion_tokens": 3}},
]


async def answer_form(request: web.Request) -> web.Response:
    form = await request.post()
    picture = form["image"]
    assert isinstance(picture, web.FileField)
    assert picture.file.read() == REQUEST.picture
    known = {"query", "max_tokens", "forced", "ignore_eos", "image"}
    assert set(form) <= known
    tokens = int(str(form["max_tokens"]))
    return web.json_response(
        {"answer": f"{form['query']} a star", "tokens": tokens, "usage": {"completion_tokens": tokens}}
    )


async def answer_json(request: web.Request) -> web.Response:
    fields = await request.json()
    listed = "questions" in fields
    (one,) = fields["questions"] if listed else [fields]
    answer = {"answer": f"{one['query']} a star", "tokens": one["max_tokens"]}
    return web.json_response([answer] if listed else answer)


async def chat(request: web.Request) -> web.StreamResponse:
    fields = await request.json()
    text = fields["messages"][0]["content"][1]["text"]
    if not fields.get("stream"):
        usage = {"completion_tokens": fields["max_tokens"]}
        return web.json_response({"choices": [{"message": {"content": f"{text} a star"}}], "usage": usage})
    response = web.StreamResponse()
    await response.prepare(request)
    for event in EVENTS:
        await response.write(f"data: {json.dumps(event)}\n\n".encode())
    await response.write(b"data: [DONE]\n\n")
    return response


async def refuse(request: web.Request) -> web.Response:
    return web.Response(status=429, headers={"retry-after": "1"})


async def nonsense(request: web.Request) -> web.Response:
    return web.Response(text="<html>")


async def failing_stream(request: web.Request) -> web.Response:
    return web.Response(text='data: {"text": "a"}\n\nevent: error\ndata: {"error": {}}\n\n')


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    app = web.Application()
    for path in ("/vqa", "/answer"):
        app.router.add_post(path, answer_form)
    for path in ("/predict", "/inference"):
        app.router.add_post(path, answer_json)
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_post("/stream_generate", failing_stream)
    async with TestServer(app) as running:
        yield running


async def asked(server: TestServer, speech: str, stream: bool = False) -> Reply:
    async with aiohttp.ClientSession(server.make_url("/")) as session:
        return await over_http(session, SPEECHES[speech], stream)(REQUEST)


@pytest.mark.parametrize("speech", ["vqa", "form", "fastapi", "litserve", "mosec", "transformers", "vllm"])
async def test_each_speech_sends_the_question_and_reads_the_answer(server: TestServer, speech: str) -> None:
    assert await asked(server, speech) == Reply(200, "what is it? a star", 3)


async def test_a_list_of_one_is_sent_and_read() -> None:
    app = web.Application()
    app.router.add_post("/answer", answer_json)
    async with TestServer(app) as server:
        assert await asked(server, "bentoml") == Reply(200, "what is it? a star", 3)


@pytest.mark.parametrize("speech", ["transformers", "vllm"])
async def test_a_stream_is_put_together_and_its_first_text_timed(server: TestServer, speech: str) -> None:
    reply = await asked(server, speech, stream=True)
    assert (reply.status, reply.text, reply.tokens) == (200, "a star", 3)
    assert reply.first is not None


async def test_a_peer_without_streams_is_asked_for_the_whole_answer(server: TestServer) -> None:
    reply = await asked(server, "mosec", stream=True)
    assert (reply.text, reply.first) == ("what is it? a star", None)


async def test_a_stream_that_ends_in_an_error_is_lost(server: TestServer) -> None:
    assert (await asked(server, "vqa", stream=True)).status == LOST


@pytest.mark.parametrize(("handler", "status"), [(refuse, 429), (nonsense, LOST)])
async def test_what_is_no_answer_is_told_apart(handler: web.RequestHandler, status: int) -> None:  # type: ignore[type-arg]
    app = web.Application()
    app.router.add_post("/vqa", handler)  # type: ignore[arg-type]
    async with TestServer(app) as server:
        assert (await asked(server, "vqa")).status == status


async def test_a_server_that_is_gone_has_lost_the_request(server: TestServer) -> None:
    await server.close()
    async with aiohttp.ClientSession("http://127.0.0.1:1") as session:
        assert (await over_http(session, SPEECHES["vqa"], stream=False)(REQUEST)).status == LOST
