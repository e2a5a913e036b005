"""`arr-coc batch` against a server with fake stages."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from arr_coc.errors import ModelFault, Overloaded
from tests.serve_app.access.test_gate import KEY, KEYS
from tests.serve_app.cli.command import invoke, invoke_beside
from tests.serve_app.cli.test_ask import url
from tests.serve_app.fakes import PNG, question
from tests.serve_app.site import Site, on_socket


@pytest.fixture
async def served() -> AsyncIterator[Site]:
    async with on_socket() as site:
        yield site


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "in.jsonl"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def write(path: Path, *requests: object) -> None:
    path.write_text("".join(json.dumps(request) + "\n" for request in requests))


def results(path: Path) -> list[dict[str, Any]]:
    """The whole lines."""
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def begin_a_line(path: Path) -> None:
    """What a kill within a write leaves."""
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b"\n") + 1] + b'{"id": 9')


async def test_every_line_has_its_result_in_order(served: Site, source: Path, out: Path) -> None:
    (source.parent / "picture.png").write_bytes(PNG)
    write(
        source,
        {"id": "path", "image": "picture.png", "query": "from a path", "max_tokens": 5},
        question(query="from a data URL", id="inline"),
        {"id": "nowhere", "image": "nothing.png", "query": "x"},
        question(max_tokens="many"),
        question(query="", id="empty"),
    )
    told = await invoke_beside("batch", source, out, "--url", url(served))
    assert told.exit_code == 1
    assert told.stdout.startswith("5 lines: 2 answered, 3 failed; 142 visual tokens an answer, 600 at native")
    first, second, *failed = results(out)
    assert (first["id"], first["answer"], first["total_visual_tokens"]) == ("path", "from a path", 142)
    assert (second["id"], second["answer"]) == ("inline", "from a data URL")
    assert [result["id"] for result in failed] == ["nowhere", 4, "empty"]
    assert [result["error"]["param"] for result in failed] == ["image", "max_tokens", "query"]
    assert served.generation.asks[0].sampling.max_new_tokens in (5, 512)


async def test_all_answered_is_success_and_again_asks_nothing(served: Site, source: Path, out: Path) -> None:
    write(source, *(question(query=f"number {i}") for i in range(50)))
    told = await invoke_beside("batch", source, out, "--url", url(served), "--concurrency", 8)
    assert told.exit_code == 0, told.output
    assert [result["answer"] for result in results(out)] == [f"number {i}" for i in range(50)]
    again = await invoke_beside("batch", source, out, "--url", url(served))
    assert again.exit_code == 0
    assert "50 of them by an earlier run" in again.stdout
    assert len(served.generation.asks) == len(results(out)) == 50


async def test_the_end_is_told_as_json(served: Site, source: Path, out: Path) -> None:
    write(source, question(query="one"), question(query=""))
    told = json.loads((await invoke_beside("batch", source, out, "--url", url(served), "--json")).stdout)
    assert told.pop("seconds") > 0
    assert told == {
        "lines": 2, "answered": 1, "failed": 1, "spent_tokens": 142, "native_tokens": 600, "earlier": 0
    }  # fmt: skip


async def test_a_line_that_fails_on_the_model_fails_alone(served: Site, source: Path, out: Path) -> None:
    served.texture.errors = [ModelFault("the model failed")]
    write(source, *(question(query=f"number {i}") for i in range(5)))
    told = await invoke_beside("batch", source, out, "--url", url(served), "--concurrency", 1)
    assert told.exit_code == 1
    assert [result.get("answer") for result in results(out)] == [None, *(f"number {i}" for i in range(1, 5))]


async def test_a_busy_server_is_waited_for(served: Site, source: Path, out: Path) -> None:
    served.texture.errors = [Overloaded("too many requests are waiting", retry_after_s=1.0)]
    write(source, question(query="patience"))
    told = await invoke_beside("batch", source, out, "--url", url(served))
    assert told.exit_code == 0
    assert results(out)[0]["answer"] == "patience"


async def test_a_wrong_key_ends_the_run_and_fails_no_line(source: Path, out: Path) -> None:
    write(source, question(query="one"), question(query="two"))
    async with on_socket(keys=KEYS) as site:
        told = await invoke_beside("batch", source, out, "--url", url(site), "--api-key", "wrong")
        assert (told.exit_code, "valid API key" in told.stderr) == (2, True)
        assert results(out) == []
        told = await invoke_beside("batch", source, out, "--url", url(site), "--api-key", KEY)
        assert told.exit_code == 0, told.output
    assert [result["answer"] for result in results(out)] == ["one", "two"]


async def killed_after(requests: int, site: Site, *arguments: object) -> None:
    """Runs the command in a process of its own and kills it once the site has been asked so often."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "serve_app.cli", *map(str, arguments)
    )
    async with asyncio.timeout(60):
        while len(site.generation.asks) < requests:
            await asyncio.sleep(0.005)
    process.kill()
    assert await process.wait() == -signal.SIGKILL


async def test_a_killed_run_is_taken_up_again(served: Site, source: Path, out: Path) -> None:
    write(source, *(question(query=f"number {i}") for i in range(120)))
    arguments = ("batch", source, out, "--url", url(served), "--concurrency", 2)
    await killed_after(20, served, *arguments)
    asked, done = len(served.generation.asks), len(results(out))
    assert 0 < done < 120
    begin_a_line(out)
    told = await invoke_beside(*arguments)
    assert told.exit_code == 0
    assert [result["answer"] for result in results(out)] == [f"number {i}" for i in range(120)]
    assert len(served.generation.asks) - asked == 120 - done


def test_a_server_that_stays_away_ends_the_run(source: Path, out: Path) -> None:
    write(source, question())
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    told = invoke("batch", source, out, "--url", address, "--patience", 0)
    assert told.exit_code == 2
    assert "no server answers" in told.stderr


def test_what_cannot_be_read_or_written_is_told(source: Path, out: Path) -> None:
    assert invoke("batch", source, out).exit_code == 2
    assert not out.exists()
    write(source, question())
    assert "same file" in invoke("batch", source, source).stderr
    assert invoke("batch", source, source.parent).exit_code == 2
    assert invoke("batch", source, out, "--url", "nowhere").exit_code == 2
    assert results(source) == [question()]
