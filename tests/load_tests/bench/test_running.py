import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from load_tests.bench import mixes, running
from load_tests.bench.journal import Journal, Key
from load_tests.bench.mixes import draw
from load_tests.bench.models import make
from load_tests.bench.outcome import Cell, Outcome
from load_tests.bench.peers import PEERS, Peer, Start
from load_tests.bench.running import Bench

SETTINGS = {"seconds": 0.3, "cpus": 2}
CELL = Cell((Outcome(0.0, 0.5, 0.25, 200, 32, True),), 6.0, 20.0, 0.05)
ECHO = """
import sys
from aiohttp import web

async def answer(request):
    form = await request.post()
    return web.json_response({"answer": form["query"], "tokens": int(form["max_tokens"])})

app = web.Application()
app.router.add_post("/answer", answer)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""


def script(name: str, code: str) -> Peer:
    """A peer that is a few lines of Python; they are told the port."""
    command: Callable[[Start], list[str]] = lambda start: [sys.executable, "-c", code, str(start.port)]  # noqa: E731
    return Peer(name, "single", command, "form", own=False)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(mixes, "SCENES", {"small": 3, "mixed": 2, "large": 1})
    draw(tmp_path / "pictures", "small")
    return tmp_path


def test_what_is_in_the_journal_is_not_measured_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "running", None)  # no server can be started
    keys = [Key("mosec", "unique", "closed-32", round_) for round_ in range(2)]
    journal = Journal(cache / "journal.jsonl", SETTINGS)
    for key in keys:
        journal.add(key, CELL, {})
    assert Bench(Journal(cache / "journal.jsonl", SETTINGS), cache, 0.3).run(keys) == []


@pytest.mark.server
def test_a_peer_that_ends_is_told_and_the_next_one_is_measured(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PEERS, "dead", script("dead", "raise SystemExit(3)"))
    monkeypatch.setitem(PEERS, "echo", script("echo", ECHO))
    journal = Journal(cache / "journal.jsonl", SETTINGS)
    keys = [
        Key("dead", "unique", "closed-32", 0),
        Key("echo", "unique", "closed-32", 0),
        Key("echo", "unique", "own-0.5", 0),
    ]
    (failure,) = Bench(journal, cache, 0.3).run(keys)
    assert "dead ended with 3" in failure
    again = Journal(cache / "journal.jsonl", SETTINGS)
    assert set(again.cells) == set(keys[1:])
    closed, open_ = (again.cells[key] for key in keys[1:])
    assert set(closed.statuses) == set(open_.statuses) == {200}
    assert len(closed.outcomes) >= 32
    assert open_.offered == pytest.approx(0.5 * closed.rate(), rel=0.02)
    assert {outcome.tokens for outcome in closed.outcomes} == {32}


@pytest.mark.server  # no server, but seconds: it loads the model
@pytest.mark.parametrize(("peer", "load"), [("engine", "closed-2"), ("offline", "batch-4")])
def test_the_engine_is_called_directly(cache: Path, peer: str, load: str) -> None:
    make("demo", cache / "models" / "demo")
    key = Key(peer, "unique", load, 0)
    journal = Journal(cache / "journal.jsonl", SETTINGS)
    assert Bench(journal, cache, 0.3).run([key]) == []
    assert journal.cells[key].statuses.keys() == {200}
    assert {outcome.tokens for outcome in journal.cells[key].outcomes} == {32}
