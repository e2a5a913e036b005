"""The real thing over HTTP: Ray, HAProxy, both stages and the bundled model in processes of their own."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from openai import OpenAI
from PIL import Image

from arr_coc.demo.scenes import questions, render, sample_scene
from tests.system.server import ROOT, START_S, free_port, write_config

pytestmark = pytest.mark.server
CLIENTS = 32
SEEDS = range(900_100, 900_110)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory, port = tmp_path_factory.mktemp("server"), free_port()
    config = write_config(directory, {"model": {"source": "demo", "device": "cpu"}}, port)
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "serve_app", str(config)],
            cwd=ROOT, stdout=log, stderr=log, env={**os.environ, "PORT": str(port)}, start_new_session=True,
        )  # fmt: skip
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}", process, directory / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    ends = time.monotonic() + START_S
    while time.monotonic() < ends:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"{url}/health", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError(log.read_text())


def _asks() -> list[tuple[bytes, str]]:
    asks = []
    for seed in SEEDS:
        scene = sample_scene(seed, size=1024 if seed % 2 else 256)
        file = BytesIO()
        render(scene).save(file, format="PNG")
        asks += [(file.getvalue(), question.text) for question in questions(scene, seed)[:4]]
    return asks[:CLIENTS]


def _ask(url: str, image: bytes, query: str) -> dict[str, object]:
    form = {"query": query, "max_tokens": "24"}
    response = httpx.post(f"{url}/vqa", data=form, files={"image": image}, timeout=60)
    assert response.status_code == 200, response.text
    body: dict[str, object] = response.json()
    return body


def test_an_answer_does_not_depend_on_who_else_asks(url: str) -> None:
    asks = _asks()
    alone = [_ask(url, *ask) for ask in asks]
    with ThreadPoolExecutor(len(asks)) as pool:
        together = list(pool.map(lambda ask: _ask(url, *ask), asks))
    assert [a["answer"] for a in together] == [a["answer"] for a in alone]
    assert [a["patches"] for a in together] == [a["patches"] for a in alone]
    assert {a["route"] for a in alone} == {"direct", "zoom"}
    assert len(asks) == CLIENTS


def test_a_stream_says_what_the_answer_says(url: str) -> None:
    image, query = _asks()[0]
    answer = _ask(url, image, query)["answer"]
    form = {"query": query, "max_tokens": "24"}
    with httpx.stream("POST", f"{url}/stream_generate", data=form, files={"image": image}, timeout=60) as got:
        events = [line.removeprefix("data: ") for line in got.iter_lines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    pieces = [httpx.Response(200, text=event).json().get("text", "") for event in events[:-2]]
    assert "".join(pieces) == answer


def test_openais_client_gets_the_same_answers(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    image, query = next(ask for ask in _asks() if max(Image.open(BytesIO(ask[0])).size) == 1024)
    picture = {"url": f"data:image/png;base64,{base64.b64encode(image).decode()}"}
    parts: Any = [{"type": "image_url", "image_url": picture}, {"type": "text", "text": query}]
    answers: list[str | None] = []
    with OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        ask: Any = {"model": client.models.list().data[0].id, "max_tokens": 24}
        messages: Any = [{"role": "user", "content": parts}]
        completion = client.chat.completions.create(**ask, messages=messages)
        assert completion.model_extra and completion.model_extra["arr_coc"]["route"] == "zoom"
        answers.append(completion.choices[0].message.content)
        stream = client.chat.completions.create(**ask, messages=messages, stream=True)
        answers.append("".join(chunk.choices[0].delta.content or "" for chunk in stream))
        said = client.chat.completions.create(**ask, messages=[{"role": "user", "content": "hello"}])
        both = client.chat.completions.create(
            **ask, messages=[{"role": "user", "content": [*parts, parts[0]]}]
        )
        for each, route in ((said, "text"), (both, "direct")):
            assert each.model_extra and each.model_extra["arr_coc"]["route"] == route
    assert answers == [_ask(url, image, query)["answer"]] * 2


def test_who_does_not_read_holds_nobody_up_and_finds_it_all_later(url: str) -> None:
    """Its stream is larger than what the way to it holds."""
    asks = _asks()[:6]
    alone = [_ask(url, *ask)["answer"] for ask in asks]
    told: dict[str, Any] = {"logprobs": True, "top_logprobs": 20, "ignore_eos": True, "max_tokens": 500}
    body = json.dumps(
        {"model": "demo", "messages": [{"role": "user", "content": "hello"}], "stream": True, **told}
    )
    host, port = url.removeprefix("http://").split(":")
    with socket.socket() as unread:
        unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
        unread.settimeout(60)
        unread.connect((host, int(port)))
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        unread.sendall(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
        while httpx.get(f"{url}/health", timeout=10).json()["running"] == 0:
            time.sleep(0.01)
        with ThreadPoolExecutor(len(asks)) as pool:
            assert [got["answer"] for got in pool.map(lambda ask: _ask(url, *ask), asks)] == alone
        reply = b"".join(iter(lambda: unread.recv(2**16), b""))
    assert len(reply) > 2**19
    assert reply.count(b'"finish_reason":"length"') + reply.count(b'"finish_reason": "length"') == 1
    assert b"data: [DONE]" in reply


def test_what_cannot_be_decoded_is_the_clients_fault(url: str) -> None:
    response = httpx.post(f"{url}/vqa", data={"query": "what?"}, files={"image": b"\x89PNG no"}, timeout=60)
    assert response.status_code in (400, 415)
    assert response.json()["error"]["code"]


def test_pictures_of_many_megabytes_pass_the_stages(url: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2048, 2048, 3), np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, format="PNG", compress_level=0)
    assert len(file.getvalue()) > 8 * 2**20
    answer = _ask(url, file.getvalue(), "what is in the picture?")
    assert answer["native_visual_tokens"] == 4096


def test_one_scrape_tells_of_every_stage(url: str) -> None:
    text = httpx.get(f"{url}/metrics", timeout=10).text
    for name in (
        "arr_coc_requests_total",
        "arr_coc_batch_rows",
        "arr_coc_time_to_first_token_seconds",
        "arr_coc_ready",
        "arr_coc_slots",
    ):
        assert name in text
