"""A server's life in processes of its own: who is answered what while it runs and when it ends."""

import hashlib
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.system.fake import write_model
from tests.system.server import ROOT, Running, free_port, serving, wait_ready, write_config

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory, port = tmp_path_factory.mktemp("lifecycle"), free_port()
    model = write_model(directory)
    config = write_config(directory, {"model": {"source": str(model)}}, port, host="0.0.0.0")
    with serving(config, port) as server:
        wait_ready(server)
        yield server


def test_a_start_is_told_by_its_phases(running: Running) -> None:
    deadline = time.monotonic() + 30
    while not (told_ready := _events(running, "ready")) and time.monotonic() < deadline:
        time.sleep(0.05)
    (ready,) = told_ready
    assert set(ready["phases"]) == {"interpreter", "config", "ray", "serve", "imports", "ready"}
    assert ready["phases"]["ready"] == ready["s"] == max(ready["phases"].values())
    assert set(ready["began"]) == set(ready["phases"])
    assert all(0 <= began < ready["s"] for began in ready["began"].values())
    told: set[str] = set()
    while told != set(ready["phases"]) and time.monotonic() < deadline:
        text = httpx.get(f"{running.url}/metrics", timeout=10).text
        told = set(re.findall(r'(?m)^arr_coc_startup_seconds\{phase="(.+?)"', text))
    assert told == set(ready["phases"])


def test_from_the_first_moments_on_everybody_is_told_that_it_starts(tmp_path: Path) -> None:
    port, phases = free_port(), []
    model = write_model(tmp_path)
    config = write_config(tmp_path, {"model": {"source": str(model)}}, port)
    with serving(config, port, FAKE_LOAD_S="2") as server:
        while True:
            assert server.process.poll() is None, server.log.read_text()
            try:
                health = httpx.get(f"{server.url}/health", timeout=5)
            except httpx.TransportError:
                assert not phases or phases[-1] == "serve"  # one that came just when the port was handed over
                continue
            if health.status_code == 200:
                break
            assert (health.status_code, health.headers["retry-after"]) == (503, "1")
            if "error" not in health.json():  # HAProxy's own words, just when it knows of nobody to ask
                phases.append(health.json()["phase"])
            with suppress(httpx.TransportError):
                asked = _ask(server.url, _picture(1)[0], "too early?")
                assert (asked.status_code, asked.headers.get("retry-after")) in ((503, "1"), (200, None))
                assert asked.status_code == 200 or asked.json()["error"]["code"] == "not_ready"
            time.sleep(0.02)
    seen = list(dict.fromkeys(phases))
    assert seen[-1] == "imports"  # which is what a model that tells nothing else is in
    assert {"ray", "serve"} <= set(seen)


def _events(running: Running, kind: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in running.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("event") == kind]


def _picture(shade: int) -> tuple[bytes, np.ndarray]:
    pixels = np.full((256, 256, 3), shade, np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue(), pixels


def _ask(url: str, image: bytes, query: str, **headers: str) -> httpx.Response:
    return httpx.post(
        f"{url}/vqa", data={"query": query}, files={"image": image}, headers=headers, timeout=60
    )


def _running(url: str) -> int:
    count: int = httpx.get(f"{url}/health", timeout=10).json()["running"]
    return count


def test_thirty_two_at_once_each_get_their_own_answer(running: Running) -> None:
    asks = [(*_picture(shade), f"what is {shade}?") for shade in range(32)]
    with ThreadPoolExecutor(32) as pool:
        replies = list(pool.map(lambda ask: _ask(running.url, ask[0], ask[2]), asks))
    expected = [
        hashlib.sha256(pixels.tobytes() + query.encode()).hexdigest()[:8] for _, pixels, query in asks
    ]
    assert [reply.json()["answer"] for reply in replies] == expected


def test_a_fault_is_a_typed_error_and_the_next_is_answered(running: Running) -> None:
    image, _ = _picture(1)
    failed = _ask(running.url, image, "fault")
    assert failed.status_code == 500
    assert failed.json()["error"]["code"] == "model_fault"
    assert _ask(running.url, image, "fine?").status_code == 200


def test_an_unforeseen_error_is_logged_without_the_words_that_repeat_the_question(running: Running) -> None:
    image, _ = _picture(1)
    failed = _ask(running.url, image, "repeat zanzibar")
    assert (failed.status_code, failed.json()["error"]["code"]) == (500, "internal_error")
    with suppress(httpx.RemoteProtocolError):  # a stream that has begun may only break off
        httpx.post(
            f"{running.url}/stream_generate", data={"query": "repeat zanzibar"}, files={"image": image}
        )
    log = running.log.read_text()
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    told = next(line for line in lines if failed.headers["x-request-id"] in line.get("message", ""))
    assert "ValueError" in told["error"]
    assert "fake.py" in log  # by the stage that failed
    assert "zanzibar" not in log


def test_the_public_port_alone_is_reachable_from_elsewhere(running: Running) -> None:
    """Another loopback address stands for another machine: what listens on 127.0.0.1 is not there."""
    port = running.url.rpartition(":")[2]
    assert httpx.get(f"http://127.0.0.2:{port}/live", timeout=10).status_code == 200
    ours = set(_ports(running.process.pid))
    reachable = set()
    for each in ours:
        with suppress(OSError), socket.create_connection(("127.0.0.2", each), timeout=5):
            reachable.add(each)
    assert len(ours) > 1
    assert reachable == {int(port)}


def _ports(root: int) -> list[int]:
    """TCP ports that the server's processes listen on."""
    sockets = set()
    for pid in _descendants(root):
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                sockets.add(os.readlink(fd).removeprefix("socket:[").removesuffix("]"))
    tables = [Path(f"/proc/net/{name}").read_text() for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables for line in table.splitlines()[1:]]
    return [int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A" and row[9] in sockets]


@pytest.mark.parametrize("sent", ["\u00ff", "x" * 200, "a b"])
def test_a_request_id_that_is_no_sane_one_is_replaced(running: Running, sent: str) -> None:
    with socket.create_connection(("127.0.0.1", int(running.url.rpartition(":")[2])), timeout=10) as client:
        client.sendall(
            f"GET /live HTTP/1.1\r\nHost: x\r\nX-Request-Id: {sent}\r\nConnection: close\r\n\r\n".encode(
                "latin-1"
            )
        )
        reply = b"".join(iter(lambda: client.recv(65536), b"")).decode("latin-1")
    assert reply.startswith("HTTP/1.1 200")
    ids = [line for line in reply.lower().splitlines() if line.startswith("x-request-id:")]
    assert len(ids) == 1
    assert sent not in ids[0]


def test_a_sane_request_id_comes_back(running: Running) -> None:
    reply = httpx.get(f"{running.url}/live", headers={"x-request-id": "mine-1"}, timeout=10)
    assert reply.headers.get_list("x-request-id") == ["mine-1"]


def test_clients_cannot_switch_timeouts_or_cancellation_off(running: Running) -> None:
    image, _ = _picture(2)
    headers = {"x-request-timeout-seconds": "0", "x-request-disconnect-disabled": "?1"}
    for _ in range(4):  # connections to the stage are idle by then and could be used again
        with pytest.raises(httpx.TimeoutException):
            httpx.post(
                f"{running.url}/vqa",
                data={"query": "slow 1000"},
                files={"image": image},
                headers=headers,
                timeout=1,
            )
    for _ in range(100):
        if _running(running.url) == 0:
            return
        time.sleep(0.1)
    raise AssertionError("the request of a client that left still runs")


def test_sigterm_answers_or_tells_everybody_and_leaves_nothing_behind(running: Running) -> None:
    image, _ = _picture(3)
    queries = ["slow 20"] * 4 + ["slow 2000"] * 4
    with ThreadPoolExecutor(8) as pool:
        replies = [pool.submit(_ask, running.url, image, query) for query in queries]
        while _running(running.url) < len(queries):
            time.sleep(0.05)
        below = _descendants(running.process.pid)
        code, _ = running.stop(signal.SIGTERM)
    assert code == 0
    statuses = [reply.result().status_code for reply in replies]
    assert statuses[:4] == [200] * 4
    assert set(statuses[4:]) <= {429, 503}
    assert all(reply.result().json()["error"]["code"] for reply in replies[4:])
    assert not [pid for pid in below if Path(f"/proc/{pid}").exists()]


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, level = [], [root]
    while level:
        level = [child for parent in level for child in children.get(parent, [])]
        found += level
    return found


@pytest.mark.parametrize(
    ("args", "port", "says"),
    [
        ({"model": {"source": "nowhere/at/all"}}, None, "no model at"),
        ({"engine": {"slot": 3}}, None, "engine.slot"),
        ({"model": {"device": "cuda"}, "generation": {"num_gpus": 1}}, None, "no GPU is usable"),
        ({}, "99999", "PORT must be a number"),
    ],
)
def test_what_cannot_start_says_so_in_one_line(
    tmp_path: Path, args: Any, port: str | None, says: str
) -> None:
    config = write_config(tmp_path, args, free_port())
    environment = {**os.environ, **({"PORT": port} if port else {})}
    ended = subprocess.run(
        [sys.executable, "-m", "serve_app", str(config)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 2
    assert says in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A control group of 400 MiB."""
    mounts = {Path("/sys/fs/cgroup/memory"): "memory.limit_in_bytes", Path("/sys/fs/cgroup"): "memory.max"}
    for mount, limit in mounts.items():
        group = mount / f"arr-coc-test-{os.getpid()}"
        with suppress(OSError):
            group.mkdir()
            if (group / limit).exists():
                (group / limit).write_text(str(400 * 2**20))
                yield group
                group.rmdir()
                return
            group.rmdir()
    pytest.skip("no control group can be made here")


def test_too_little_memory_is_told_and_ends_the_start_at_once(tmp_path: Path, small_group: Path) -> None:
    config = write_config(tmp_path, {}, free_port())
    inside = f"echo $$ > {small_group}/cgroup.procs && exec {sys.executable} -m serve_app {config}"
    ended = subprocess.run(["bash", "-c", inside], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2, ended.stderr
    assert "MiB of memory are free" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = write_config(tmp_path, {}, taken.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, "-m", "serve_app", str(config)], cwd=ROOT, capture_output=True, text=True
        )
    assert ended.returncode == 2
    assert "cannot listen on" in ended.stderr
