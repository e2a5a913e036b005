"""Every line exactly once and in order, wherever a run was ended."""

import asyncio
import io
import json
import tempfile
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.cli.batch.journal import Journal
from serve_app.cli.batch.lines import Line, read_lines
from serve_app.cli.batch.running import Tally, resume, run
from serve_app.cli.failure import Failure

IDS = st.one_of(st.text(max_size=3), st.integers())
REQUESTS = st.fixed_dictionaries({"query": st.text(max_size=5)}, optional={"id": IDS})
LINES = st.lists(st.one_of(REQUESTS.map(json.dumps), st.sampled_from(["", "  ", "{", "[]"])), max_size=12)


class Killed(Exception):
    """The process ends here."""


class Server:
    """Answers each question with itself, later ones sooner; dies with request number ``dies_at``."""

    def __init__(self, dies_at: int | None = None) -> None:
        self.asked: list[bytes] = []
        self._dies_at = dies_at

    async def send(self, body: bytes) -> dict[str, Any]:
        self.asked.append(body)
        if len(self.asked) - 1 == self._dies_at:
            raise Killed
        for _ in range(20 - len(self.asked)):
            await asyncio.sleep(0)
        return {"answer": json.loads(body)["query"], "total_visual_tokens": 1, "native_visual_tokens": 2}


def batch(text: bytes, out: Path, server: Server) -> Tally:
    """One run over the whole input."""

    async def follow(results: AsyncGenerator[tuple[Line, dict[str, Any]], None]) -> None:
        async with aclosing(results):
            async for _, result in results:
                tally.add(result)

    with Journal(out) as journal:
        lines = read_lines(io.BytesIO(text))
        tally, _ = resume(lines, journal)
        asyncio.run(follow(run(lines, journal, server.send, out.parent, concurrency=3)))
    return tally


@given(lines=LINES, data=st.data())
@settings(deadline=None)
def test_a_run_goes_on_from_whatever_byte_the_last_one_reached(lines: list[str], data: st.DataObject) -> None:
    text = "\n".join(lines).encode()
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "out.jsonl"
        whole, first = batch(text, out, Server()), Server()
        complete = out.read_bytes()
        out.unlink()
        batch(text, out, first)
        kept = data.draw(st.integers(0, len(complete)), label="bytes before the kill")
        out.write_bytes(complete[:kept])
        second = Server()
        assert batch(text, out, second) == whole
        assert out.read_bytes() == complete
        done = complete[:kept].count(b"\n")
        unanswered = [json.loads(line) for line in complete.splitlines()[done:]]
        assert len(second.asked) == sum("answer" in result for result in unanswered)
        assert [json.loads(body)["query"] for body in second.asked] == [
            result["answer"] for result in unanswered if "answer" in result
        ]


@given(lines=LINES, kills=st.lists(st.integers(0, 6), max_size=4))
@settings(deadline=None)
def test_runs_that_die_one_after_the_other_end_as_one_that_lives(lines: list[str], kills: list[int]) -> None:
    text = "\n".join(lines).encode()
    with tempfile.TemporaryDirectory() as directory:
        one, many = Path(directory) / "one.jsonl", Path(directory) / "many.jsonl"
        whole = batch(text, one, Server())
        before = b""
        for dies_at in kills:
            with suppress(Killed):
                batch(text, many, Server(dies_at))
            written = many.read_bytes()
            assert written.startswith(before)
            assert one.read_bytes().startswith(written)
            before = written
        assert batch(text, many, Server()) == whole
        assert many.read_bytes() == one.read_bytes()


def test_a_half_line_leaves_nothing_behind_a_shorter_whole_one(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_bytes(b'{"id": "a", "answer": "' + b"x" * 1000)
    batch(b'{"id": "a", "query": "short"}\n', out, Server())
    (line,) = out.read_text().splitlines()
    assert json.loads(line)["answer"] == "short"


def test_what_failed_before_still_counts(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    batch(b'{"query": "a"}\n{', out, Server())
    assert batch(b'{"query": "a"}\n{', out, Server()) == Tally(1, 1, 1, 2)


@pytest.mark.parametrize(
    "content",
    [
        b"somebody's notes",
        b'{"id": "b", "answer": ""}\n',
        b'{"id": "a", "answer": ""}\n{"id": 2}\n{"id": 3}\n',
        b'{"id": "a", "answer": ""}\n{"ID',
        b'{"id": nonsense}\n',
        b'{"answer": "a", "id": "a"}\n',
        b"\0" * 8 + b"\n",
    ],
)
def test_a_file_that_is_not_of_this_input_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    out = tmp_path / "out.jsonl"
    out.write_bytes(content)
    with pytest.raises(Failure, match="something else"):
        batch(b'{"id": "a", "query": "a"}\n{"query": "b"}\n', out, Server())
    assert out.read_bytes() == content


def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    with Journal(tmp_path / "out.jsonl"), pytest.raises(Failure, match="another process"):
        Journal(tmp_path / "out.jsonl")


def test_a_full_disk_is_told() -> None:
    with Journal(Path("/dev/full")) as journal, pytest.raises(Failure, match="No space left"):
        journal.append({"id": 1})
