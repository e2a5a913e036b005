import json
from pathlib import Path

from load_tests.bench.__main__ import main
from load_tests.bench.journal import Journal, Key
from load_tests.bench.outcome import Cell, Outcome


def answering(rate: float, offered: float = 0.0) -> Cell:
    outcomes = tuple(Outcome(i / rate, 0.5, 0.1, 200, 32, i % 2 == 0) for i in range(int(6 * rate)))
    return Cell(outcomes, 6.0, offered, 0.031)


def measured(path: Path) -> None:
    journal = Journal(path, {"seconds": 6.0, "cpus": 2})
    for round_ in range(3):
        for peer, rate in (("arr-coc", 40.0), ("mosec", 20.0)):
            for clients in (1, 8, 32):
                journal.add(
                    Key(peer, "unique", f"closed-{clients}", round_), answering(rate * clients / 32), {}
                )
            for share in (0.5, 1.0):
                load = f"own-{share:g}"
                journal.add(Key(peer, "unique", load, round_), answering(rate * share, rate * share), {})


def test_all_of_the_report_is_made_of_the_journal(tmp_path: Path) -> None:
    measured(tmp_path / "journal.jsonl")
    command = ["report", "--journal", str(tmp_path / "journal.jsonl"), "--out", str(tmp_path / "out")]
    assert main(command) == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"table.md", "bars.json", "cells.json", "throughput-unique.png", "latency-unique.png"}
    first = (tmp_path / "out" / "table.md").read_text()
    (bar,) = json.loads((tmp_path / "out" / "bars.json").read_text())
    assert (bar["against"], bar["verdict"]) == ("mosec", "aim")
    assert round(bar["ratio"], 1) == 2.0
    assert "| unique | closed-32 | mosec | 0.50 | - | 0.50 |" in first
    assert "| 0.0 | - | 3.1 |" in first
    main(command)
    assert (tmp_path / "out" / "table.md").read_text() == first


def test_nothing_measured_makes_an_empty_report(tmp_path: Path) -> None:
    Journal(tmp_path / "journal.jsonl", {"seconds": 6.0, "cpus": 2})
    assert main(["report", "--journal", str(tmp_path / "journal.jsonl"), "--out", str(tmp_path / "out")]) == 0
    assert json.loads((tmp_path / "out" / "bars.json").read_text()) == []
