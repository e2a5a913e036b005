"""What only shows on a real connection: slow, cut, endless and lying bodies."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from serve_app import body
from serve_app.limits import HttpLimits
from tests.serve_app.fakes import PNG, question
from tests.serve_app.site import Site, assert_error, on_socket, until


@pytest.fixture(autouse=True)
def _short_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "LINGER_S", 0.2)


async def post_raw(site: Site, *pieces: bytes, headers: str) -> tuple[int, bytes]:
    """Sends a request byte by byte as given, and reads the response until its body is whole."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(
        f"POST /vqa HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{headers}\r\n\r\n".encode()
    )
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    async with asyncio.timeout(5):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length: ")[1].split("\r\n")[0])
        content = await reader.readexactly(length)
    writer.close()
    return int(head.split(" ")[1]), content


async def test_six_byte_chunks_and_length_carry_the_same_body() -> None:
    async with on_socket() as site:
        content = json.dumps(question()).encode()

        async def chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(content), 6):
                yield content[start : start + 6]

        headers = {"content-type": "application/json"}
        chunked = await site.client.post("/vqa", content=chunks(), headers=headers)
        assert chunked.status_code == 200
        assert site.texture.images == [PNG]


async def test_a_slow_body_is_given_up() -> None:
    async with on_socket(limits=HttpLimits(body_timeout_s=0.05, status_refresh_s=0.01)) as site:
        status, sent = await post_raw(site, b'{"query"', headers="content-length: 100")
        assert (status, json.loads(sent)["error"]["code"]) == (408, "body_timeout")
        assert site.pipeline.in_flight == 0


async def test_an_endless_chunked_body_is_refused() -> None:
    async with on_socket(limits=HttpLimits(max_body_mib=0.1)) as site:
        chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
        status, sent = await post_raw(
            site, chunk, chunk, chunk, b"0\r\n\r\n", headers="transfer-encoding: chunked"
        )
        assert (status, json.loads(sent)["error"]["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("expect", ["", "\r\nexpect: 100-continue"])
async def test_an_announced_length_is_believed_when_too_large(expect: str) -> None:
    async with on_socket(limits=HttpLimits(max_body_mib=0.1)) as site:
        status, sent = await post_raw(site, headers=f"content-length: 99999999999999999999999{expect}")
        assert status in (400, 413)
        status, sent = await post_raw(site, headers=f"content-length: 999999999999{expect}")
        assert (status, json.loads(sent)["error"]["code"]) == (413, "body_too_large")


async def test_a_client_that_sends_all_of_a_large_body_gets_to_read_the_refusal() -> None:
    async with on_socket(limits=HttpLimits(max_body_mib=1)) as site:
        content = b" " * (8 * 2**20)
        headers = {"content-type": "application/json"}
        assert_error(await site.client.post("/vqa", content=content, headers=headers), 413, "body_too_large")

        async def chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(content), 2**16):
                yield content[start : start + 2**16]

        assert_error(await site.client.post("/vqa", content=chunks(), headers=headers), 413, "body_too_large")


async def test_a_client_that_leaves_during_the_upload_gives_its_place_back() -> None:
    async with on_socket() as site:
        _, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(
            b"POST /vqa HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"
        )
        async with asyncio.timeout(5):
            await until(lambda: site.pipeline.in_flight)
            writer.close()
            await until(lambda: site.ledger.entries)
        assert site.ledger.entries == [("vqa", "cancelled")]
        assert site.pipeline.in_flight == 0


@pytest.mark.parametrize(
    "headers",
    [
        "content-length: -1",
        "content-length: 5\r\ncontent-length: 6",
        "content-length: 5\r\ntransfer-encoding: chunked",
    ],
)
async def test_framing_that_can_be_read_in_two_ways_never_reaches_a_stage(headers: str) -> None:
    async with on_socket() as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        request = f"POST /vqa HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{headers}\r\n\r\nhello"
        writer.write(request.encode())
        async with asyncio.timeout(5):
            assert (await reader.readline()).startswith(b"HTTP/1.1 400")
        writer.close()
        assert site.texture.asks == []


async def test_after_all_of_it_a_good_request_is_answered() -> None:
    async with on_socket(limits=HttpLimits(max_body_mib=0.1, status_refresh_s=0.01)) as site:
        golden = (await site.vqa()).json()["answer"]
        for _ in range(3):
            await post_raw(site, headers="content-length: 999999999")
            with pytest.raises(httpx.HTTPError):
                await site.client.post("/vqa", json=question(), timeout=1e-6)
        assert (await site.vqa()).json()["answer"] == golden
