"""The report: bars, and every cell beside this server's, as Markdown, JSON and plots. Ratios only.

Owns how figures are written. Knows nothing of how they are measured.
"""

import json
import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from load_tests.bench.journal import Journal, Key
from load_tests.bench.mixes import MIXES
from load_tests.bench.outcome import Cell
from load_tests.bench.peers import OURS, PEERS
from load_tests.bench.plans import CLIENTS
from load_tests.bench.ratios import WITHIN_S, Book, Row, bars

HEAD = """# This server and its peers

Measured by `python -m load_tests.bench`, on {cpus} cores that server and load generator share. Ratios only;
each is the median of its rounds, in which all took turns. In cells of {seconds:g} s.
"""


def write(journal: Journal, out: Path) -> None:
    """Everything into ``out``."""
    from load_tests.bench.plotting import draw

    out.mkdir(parents=True, exist_ok=True)
    rows = bars(journal.cells)
    (out / "table.md").write_text(markdown(journal, rows))
    (out / "bars.json").write_text(_json([_told(row) for row in rows]))
    (out / "cells.json").write_text(_json({"settings": journal.settings, "cells": summaries(journal.cells)}))
    draw(journal.cells, out)


def markdown(journal: Journal, rows: Iterable[Row]) -> str:
    """The table of bars, and that of all cells."""
    lines = [
        HEAD.format(**journal.settings),
        "| what | against | ratio | rounds | bar | aim | |",
        "|---" * 7 + "|",
    ]
    for row in rows:
        sign = "<=" if row.at_most else ">="
        rounds = ", ".join(f"{ratio:.2f}" for ratio in row.rounds)
        lines.append(
            f"| {row.what} | {row.against} | **{row.ratio:.2f}** | {rounds} | {sign} {row.bar:g} | {row.aim:g} | {row.verdict} |"
        )
    lines += [
        "",
        "Every cell over this server's of the same mix and load (its own capacity: over its closed loop of 32).",
        "",
        "| mix | load | peer | answers/s | right answers/s | goodput | p50 | p99 | not answered, % | right, % | client's CPU, % |",
        "|---" * 11 + "|",
        *_cell_lines(journal.cells),
    ]
    return "\n".join(lines) + "\n"


def _told(row: Row) -> dict[str, Any]:
    rounds = [_figure(ratio) for ratio in row.rounds]
    return {**asdict(row), "rounds": rounds, "ratio": _figure(row.ratio), "verdict": row.verdict}


def summaries(book: Book) -> list[dict[str, Any]]:
    """Each cell's own figures, in answers a second and seconds of the machine that measured them."""
    return [
        {
            **{field: getattr(key, field) for field in key.__slots__},
            "offered": round(cell.offered, 3),
            "answers_per_s": round(cell.rate(), 3),
            "right_per_s": round(cell.rate(right_only=True), 3),
            "goodput_per_s": round(cell.goodput(WITHIN_S[MIXES[key.mix].model]), 3),
            "latency_s": {share: _figure(cell.latency(share / 100)) for share in (50, 95, 99)},
            "first_text_s": {share: _figure(cell.first_text(share / 100)) for share in (50, 95, 99)},
            "statuses": cell.statuses,
            "client_cpu": cell.client_cpu,
        }
        for key, cell in sorted(book.items())
    ]


def _cell_lines(book: Book) -> Iterable[str]:
    groups: dict[tuple[str, str, str], list[Key]] = {}
    for key in book:
        groups.setdefault((key.mix, key.load, key.peer), []).append(key)
    for mix, load, peer in sorted(
        groups, key=lambda group: (group[0], group[1], list(PEERS).index(group[2]))
    ):
        keys = groups[mix, load, peer]
        ends = MIXES[mix].lengths is None  # an answer of a forced length may be cut off before it is right
        figures = [
            _relative(book, keys, lambda cell: cell.rate()),
            _relative(book, keys, lambda cell: cell.rate(right_only=True)) if ends else "-",
            _relative(book, keys, partial(Cell.goodput, limit_s=WITHIN_S[MIXES[mix].model])),
            _relative(book, keys, lambda cell: cell.latency(0.5)),
            _relative(book, keys, lambda cell: cell.latency(0.99)),
            f"{100 * _median(book, keys, _unanswered):.1f}",
            f"{100 * _median(book, keys, _right):.0f}" if ends else "-",
            f"{100 * _median(book, keys, lambda cell: cell.client_cpu):.1f}" if PEERS[peer].speech else "-",
        ]
        yield f"| {mix} | {load} | {peer} | " + " | ".join(figures) + " |"


def _relative(book: Book, keys: Iterable[Key], figure: Callable[[Cell], float]) -> str:
    """The median over rounds of a cell's figure over this server's; a dash where that is not there."""
    ratios = []
    for key in keys:
        ours = book.get(Key(OURS, key.mix, key.load, key.round)) or book.get(
            Key(OURS, key.mix, CLIENTS, key.round)
        )
        if ours and figure(ours):
            ratios.append(figure(book[key]) / figure(ours))
    return _text(statistics.median(ratios)) if ratios else "-"


def _median(book: Book, keys: Iterable[Key], figure: Callable[[Cell], float]) -> float:
    return statistics.median(figure(book[key]) for key in keys)


def _unanswered(cell: Cell) -> float:
    return sum(not o.answered for o in cell.outcomes) / max(1, len(cell.outcomes))


def _right(cell: Cell) -> float:
    answered = [o for o in cell.outcomes if o.answered]
    return sum(o.right for o in answered) / max(1, len(answered))


def _text(ratio: float) -> str:
    return f"{ratio:.2f}" if math.isfinite(ratio) else "-"


def _figure(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, allow_nan=False) + "\n"
