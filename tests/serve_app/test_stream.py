"""Streams: events as they come, an error event where it breaks, and [DONE] only after success."""

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest

from arr_coc.answers import Delta, Report
from arr_coc.errors import ModelFault
from arr_coc.types import Ask, TexturedPicture
from serve_app import connection
from serve_app.admission import AdmissionConfig
from tests.serve_app.fakes import FakeGeneration, question
from tests.serve_app.site import Site, events_of, in_process, on_socket, until


async def test_tokens_then_everything_but_the_answer_then_done(site: Site) -> None:
    whole = (await site.vqa()).json()
    response = await site.client.post("/stream_generate", json=question())
    assert response.headers["content-type"].startswith("text/event-stream")
    *deltas, (_, last), done = events_of(response.text)
    assert done == ("message", "[DONE]")
    assert "".join(data["text"] for _, data in deltas) == whole.pop("answer")
    assert len(deltas) == 3
    assert last == {**whole, "request_id": response.headers["x-request-id"]}
    assert site.ledger.entries[-1] == ("stream_generate", "ok")


async def test_line_breaks_in_the_answer_do_not_break_events(site: Site) -> None:
    response = await site.client.post("/stream_generate", json=question(query="one\n\ndata: x \u2028two\r\n"))
    texts = [data["text"] for _, data in events_of(response.text)[:-2]]
    assert "".join(texts) == "one\n\ndata: x \u2028two\r\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [(ModelFault("the model failed"), "model_fault"), (ValueError("secret"), "internal_error")],
)
async def test_an_error_after_the_start_is_an_event_and_no_done(
    site: Site, error: Exception, code: str
) -> None:
    site.generation.error, site.generation.words_before_error = error, 2
    response = await site.client.post("/stream_generate", json=question())
    assert response.status_code == 200
    assert "secret" not in response.text
    *deltas, (name, last) = events_of(response.text)
    assert [data["text"] for _, data in deltas] == ["what", " is"]
    assert name == "error"
    assert last["error"]["code"] == code
    assert "[DONE]" not in response.text
    assert site.ledger.entries[-1] == ("stream_generate", "error")


async def test_a_stream_that_ends_without_a_report_is_an_error(site: Site) -> None:
    site.generation.ends_early = True
    response = await site.client.post("/stream_generate", json=question())
    assert events_of(response.text)[-1][1]["error"]["code"] == "stage_unavailable"
    assert "[DONE]" not in response.text


async def test_a_stream_ends_at_its_deadline() -> None:
    async with in_process(admission=AdmissionConfig(deadline_s=0.05)) as site:
        words = 0

        async def slower() -> None:
            nonlocal words
            words += 1
            if words > 1:
                await asyncio.Event().wait()

        site.generation.before = slower
        response = await site.client.post("/stream_generate", json=question())
        assert events_of(response.text)[-1][1]["error"]["code"] == "deadline_exceeded"
        assert site.generation.cancelled.is_set()
        assert site.ledger.entries == [("stream_generate", "deadline")]


async def test_events_leave_as_they_come() -> None:
    async with on_socket() as site:
        gate = asyncio.Semaphore(1)
        site.generation.before = gate.acquire
        async with site.client.stream("POST", "/stream_generate", json=question()) as response:
            lines = response.aiter_lines()
            assert await anext(lines) == 'data: {"text": "what"}'
            gate.release()
            assert await anext(lines) == ""
            assert await anext(lines) == 'data: {"text": " is"}'
            gate.release()
            assert "data: [DONE]" in [line async for line in lines]


@pytest.mark.parametrize("path", ["/vqa", "/stream_generate"])
async def test_a_client_that_leaves_cancels_its_request(path: str) -> None:
    async with on_socket() as site:
        started = asyncio.Event()

        async def wait() -> None:
            started.set()
            await asyncio.Event().wait()

        site.generation.before = wait
        leaving = asyncio.create_task(site.client.post(path, json=question()))
        async with asyncio.timeout(5):
            await started.wait()
            leaving.cancel()
            await site.generation.cancelled.wait()
            await until(lambda: site.ledger.entries)
        assert site.ledger.entries[-1][1] == "cancelled"
        assert site.pipeline.in_flight == 0


async def test_a_client_that_leaves_in_the_middle_of_a_stream_cancels_it() -> None:
    async with on_socket() as site:
        gate = asyncio.Semaphore(1)
        site.generation.before = gate.acquire
        async with site.client.stream("POST", "/stream_generate", json=question()) as response:
            assert await anext(response.aiter_lines()) == 'data: {"text": "what"}'
        async with asyncio.timeout(5):
            await site.generation.cancelled.wait()
            await until(lambda: site.ledger.entries)
        assert site.ledger.entries == [("stream_generate", "cancelled")]
        assert site.pipeline.in_flight == 0


async def test_a_client_that_does_not_read_loses_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = asyncio.Event()

    async def endless(
        self: FakeGeneration, ask: Ask, *pictures: TexturedPicture
    ) -> AsyncGenerator[Delta | Report, None]:
        try:
            while True:
                yield Delta("x" * 65_536)
        finally:
            closed.set()

    monkeypatch.setattr(FakeGeneration, "stream", endless)
    monkeypatch.setattr(connection, "GRACE_S", 0.1)
    async with on_socket(admission=AdmissionConfig(deadline_s=0.5)) as site:
        _, writer = await asyncio.open_connection("127.0.0.1", site.port, limit=1024)
        body = json.dumps(question()).encode()
        head = "POST /stream_generate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json"
        writer.write(f"{head}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        await until(lambda: site.ledger.entries)
        assert site.ledger.entries == [("stream_generate", "cancelled")]
        assert closed.is_set()
        assert site.pipeline.in_flight == 0
        writer.close()
