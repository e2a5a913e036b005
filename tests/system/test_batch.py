"""`arr-coc batch` over 2,000 lines of a real server's, killed twice."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import pytest

from arr_coc.demo.scenes import questions, render, sample_scene
from tests.system.server import ROOT, free_port, serving, wait_ready, write_config

pytestmark = pytest.mark.system
LINES = 2000
AT_ONCE = 64
KILLED_AFTER = (500, 1200)  # results
SEEDS = range(900_200, 900_216)
LIMIT_S = 240.0


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    config = write_config(tmp_path, {"model": {"source": "demo", "device": "cpu"}}, port)
    with serving(config, port, module="serve_app") as running:
        wait_ready(running)
        yield running.url


def asks(directory: Path) -> list[dict[str, object]]:
    """Questions about small pictures, which are left in ``directory``."""
    asked = list[dict[str, object]]()
    for seed in SEEDS:
        scene = sample_scene(seed, size=256)
        file = BytesIO()
        render(scene).save(file, format="PNG")
        (directory / f"{seed}.png").write_bytes(file.getvalue())
        asked += [
            {"image": f"{seed}.png", "query": question.text, "max_tokens": 12}
            for question in questions(scene, seed)
        ]
    return asked


def answer_alone(url: str, directory: Path, ask: dict[str, object]) -> str:
    form = {"query": str(ask["query"]), "max_tokens": str(ask["max_tokens"])}
    picture = (directory / str(ask["image"])).read_bytes()
    reply = httpx.post(f"{url}/vqa", data=form, files={"image": picture}, timeout=60)
    assert reply.status_code == 200, reply.text
    return str(reply.json()["answer"])


def whole_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def killed_after(results: int, command: list[str], out: Path) -> None:
    """Runs ``command`` and kills it once ``out`` has so many lines."""
    process = subprocess.Popen(command, cwd=ROOT)
    ends = time.monotonic() + LIMIT_S
    while whole_lines(out) < results:
        assert process.poll() is None, "it ended by itself"
        assert time.monotonic() < ends
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL


def asked_of(url: str) -> int:
    """Requests that the server has answered well."""
    text = httpx.get(f"{url}/metrics", timeout=30).text
    name = 'arr_coc_requests_total{endpoint="vqa",outcome="ok"} '
    return int(float(next(line.removeprefix(name) for line in text.splitlines() if line.startswith(name))))


def test_each_of_2000_lines_has_one_result_whenever_the_run_is_killed(url: str, tmp_path: Path) -> None:
    asked = asks(tmp_path)
    alone = [answer_alone(url, tmp_path, ask) for ask in asked]
    assert len(set(alone)) > 20
    before = asked_of(url)
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps(asked[line % len(asked)]) + "\n" for line in range(LINES)))
    command = [sys.executable, "-m", "serve_app.cli", "batch", str(source), str(out), "--url", url]
    command += ["--concurrency", str(AT_ONCE)]
    for results in KILLED_AFTER:
        killed_after(results, command, out)
        assert results <= whole_lines(out) < LINES
    assert subprocess.run(command, cwd=ROOT, timeout=LIMIT_S).returncode == 0
    results = [json.loads(line) for line in out.read_text().splitlines()]
    assert [result["id"] for result in results] == list(range(1, LINES + 1))
    assert [result["answer"] for result in results] == [alone[line % len(asked)] for line in range(LINES)]
    again = asked_of(url) - before - LINES  # what was under way, or waited for an earlier line, at a kill
    assert 0 <= again <= len(KILLED_AFTER) * 4 * AT_ONCE
