"""Processes of a server are killed while it is asked: every request is answered or told, and those after it."""

import hashlib
import io
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from serve_app.errors import STATUSES
from tests.system.fake import write_model
from tests.system.server import Running, free_port, serving, wait_ready, write_config

pytestmark = pytest.mark.system
CLIENTS = 8
RECOVERED_S = 60.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with _started(tmp_path_factory.mktemp("faults")) as server:
        yield server


@contextmanager
def _started(directory: Path) -> Iterator[Running]:
    port = free_port()
    config = write_config(directory, {"model": {"source": str(write_model(directory))}}, port)
    with serving(config, port) as server:
        wait_ready(server)
        yield server


def _picture(shade: int) -> tuple[bytes, np.ndarray]:
    pixels = np.full((256, 256, 3), shade, np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue(), pixels


class Load:
    """Clients that ask without a pause, each in its own way, and what became of their requests."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.outcomes: Counter[str] = Counter()
        self._over = threading.Event()

    @contextmanager
    def on(self) -> Iterator["Load"]:
        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(self._client, number) for number in range(CLIENTS)]
            try:
                yield self
            finally:
                self._over.set()
            for client in clients:
                client.result()

    def more(self, outcome: str, count: int) -> None:
        """Until ``count`` more requests had this outcome."""
        until, ends = self.outcomes[outcome] + count, time.monotonic() + RECOVERED_S
        while self.outcomes[outcome] < until:
            assert time.monotonic() < ends, self.outcomes
            time.sleep(0.05)

    def _client(self, number: int) -> None:
        ways = (self._whole, self._slow, self._stream)
        for turn in range(10**9):
            if self._over.is_set():
                return
            try:
                outcome = ways[(number + turn) % len(ways)](number)
            except httpx.TransportError:
                outcome = "broken"
            self.outcomes[outcome] += 1
            if outcome != "ok":
                time.sleep(0.2)

    def _whole(self, number: int) -> str:
        image, pixels = _picture(number)
        query = f"what is {number}?"
        expected = hashlib.sha256(pixels.tobytes() + query.encode()).hexdigest()[:8]
        return _judged(self._post("/vqa", image, query), expected)

    def _slow(self, number: int) -> str:
        return _judged(self._post("/vqa", _picture(number)[0], "slow 12"), " ".join(["word"] * 12))

    def _stream(self, number: int) -> str:
        form, files = {"query": "slow 12"}, {"image": _picture(number)[0]}
        with httpx.stream(
            "POST", f"{self.url}/stream_generate", data=form, files=files, timeout=90
        ) as response:
            if response.status_code != 200:
                response.read()
                return _judged(response, "")
            lines = list(response.iter_lines())
        if any(line == "event: error" for line in lines):
            return "wrong" if "data: [DONE]" in lines else "told"
        return "ok" if "data: [DONE]" in lines and sum("word" in line for line in lines) >= 12 else "wrong"

    def _post(self, path: str, image: bytes, query: str) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", data={"query": query}, files={"image": image}, timeout=90)


def _judged(response: httpx.Response, expected: str) -> str:
    if response.status_code == 200:
        return "ok" if response.json()["answer"].strip() == expected else "wrong"
    try:
        code = response.json()["error"]["code"]
    except (json.JSONDecodeError, KeyError):
        return f"untyped {response.status_code}"
    return "told" if code and response.status_code in STATUSES else "wrong"


def _processes(root: int) -> dict[int, str]:
    """Command lines of everything below ``root``."""
    parents, lines = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                lines[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
    found: set[int] = set()
    level = {root}
    while level:
        level = {pid for pid, parent in parents.items() if parent in level} - found
        found |= level
    return {pid: lines[pid] for pid in found}


def _kill(running: Running, name: str) -> None:
    (pid,) = [pid for pid, line in _processes(running.process.pid).items() if name in line.split("--")[0]]
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("stage", ["GenerationStage", "TextureStage", "Ingress"])
def test_a_replica_that_is_killed_loses_nothing_silently_and_comes_back(running: Running, stage: str) -> None:
    load = Load(running.url)
    with load.on():
        load.more("ok", 20)
        _kill(running, f"ray::ServeReplica:arr-coc:{stage}")
        time.sleep(1)
        load.more("ok", 40)
    assert set(load.outcomes) <= ({"ok", "told", "broken"} if stage == "Ingress" else {"ok", "told"})
    assert running.process.poll() is None
    assert httpx.get(f"{running.url}/health", timeout=10).status_code == 200
    if stage == "TextureStage":  # pure: its work is done again by the next replica
        assert load.outcomes["told"] <= CLIENTS


@pytest.mark.parametrize("process", ["gcs_server", "raylet"])
def test_without_ray_it_ends_and_everybody_knows(tmp_path: Path, process: str) -> None:
    with _started(tmp_path) as running:
        load = Load(running.url)
        with load.on():
            load.more("ok", 10)
            _kill(running, f"/{process}")
            code = running.process.wait(30)
        assert code == 1
        assert f"{process} died" in running.log.read_text()
        assert set(load.outcomes) <= {"ok", "told", "broken"}
        assert load.outcomes["ok"]
