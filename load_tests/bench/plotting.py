"""Two plots: throughput against clients, and percentiles of latency against offered load. Ratios only."""

import math
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl

from load_tests.bench.journal import Key
from load_tests.bench.loads import Load
from load_tests.bench.mixes import MIXES
from load_tests.bench.outcome import Cell
from load_tests.bench.peers import OURS, names
from load_tests.bench.plans import CLIENTS
from load_tests.bench.ratios import Book

Points = list[tuple[float, float]]
_SERVERS = names("this", "single", "batching", "continuous")


def draw(book: Book, out: Path) -> None:
    """Write the plots of each mix that has more than one load of the kind."""
    mpl.use("Agg")
    for mix in MIXES:
        clients = {peer: list(_throughput(book, peer, mix)) for peer in _SERVERS}
        if any(len(points) > 1 for points in clients.values()):
            _throughput_plot(clients, mix, out / f"throughput-{mix}.png")
        median = {peer: list(_latency(book, peer, mix, 0.5)) for peer in _SERVERS}
        last = {peer: list(_latency(book, peer, mix, 0.99)) for peer in _SERVERS}
        if any(len(points) > 1 for points in median.values()):
            _latency_plot(median, last, mix, out / f"latency-{mix}.png")


def _throughput(book: Book, peer: str, mix: str) -> Iterator[tuple[float, float]]:
    """Clients, and answers a second over this server's with 32 of them."""
    for load in _loads(book, peer, mix):
        if load.kind == "closed":
            yield from _point(book, Key(peer, mix, load.name, 0), load.value, Cell.rate)


def _latency(book: Book, peer: str, mix: str, share: float) -> Iterator[tuple[float, float]]:
    """Offered load over the server's own capacity, and latency over the median of this server's with 32
    clients. What was refused or lost is not in it."""

    def latency(cell: Cell) -> float:
        return Cell(tuple(o for o in cell.outcomes if o.answered), cell.seconds, cell.offered, 0.0).latency(
            share
        )

    for load in _loads(book, peer, mix):
        if load.kind == "own" and not load.stream:
            yield from _point(book, Key(peer, mix, load.name, 0), load.value, latency, _middle)


def _middle(cell: Cell) -> float:
    return cell.latency(0.5)


def _point(
    book: Book,
    key: Key,
    at: float,
    figure: Callable[[Cell], float],
    unit: Callable[[Cell], float] | None = None,
) -> Iterator[tuple[float, float]]:
    ratios = []
    for one, cell in book.items():
        ours = book.get(Key(OURS, key.mix, CLIENTS, one.round))
        if (one.peer, one.mix, one.load) == (key.peer, key.mix, key.load) and ours:
            ratio = figure(cell) / (unit or figure)(ours)
            if math.isfinite(ratio):
                ratios.append(ratio)
    if ratios:
        yield at, statistics.median(ratios)


def _loads(book: Book, peer: str, mix: str) -> list[Load]:
    names_ = {key.load for key in book if (key.peer, key.mix) == (peer, mix)}
    return sorted(map(Load.parse, names_), key=lambda load: load.value)


def _throughput_plot(lines: dict[str, Points], mix: str, path: Path) -> None:
    figure, axes = _canvas(1)
    for peer, points in lines.items():
        if points:
            axes[0].plot(
                *zip(*points, strict=True), marker="o", label=peer, linewidth=2.5 if peer == OURS else 1.2
            )
    axes[0].set(
        xlabel="clients", xscale="log", title=mix, ylabel="answers a second / this server's with 32 clients"
    )
    axes[0].set_xticks([1, 8, 32, 64], ["1", "8", "32", "64"])
    _save(figure, axes, path)


def _latency_plot(median: dict[str, Points], last: dict[str, Points], mix: str, path: Path) -> None:
    figure, axes = _canvas(2)
    for place, (share, lines) in enumerate((("median", median), ("99th percentile", last))):
        for peer, points in lines.items():
            if points:
                wide = 2.5 if peer == OURS else 1.2
                axes[place].plot(*zip(*points, strict=True), marker="o", label=peer, linewidth=wide)
        axes[place].set(xlabel="offered load / own capacity", yscale="log", title=f"{mix}, {share}")
    axes[0].set_ylabel("latency / this server's median with 32 clients")
    _save(figure, axes, path)


def _canvas(count: int) -> tuple[Any, Any]:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, count, figsize=(6 * count, 4.5), squeeze=False, sharey=True)
    return figure, axes[0]


def _save(figure: Any, axes: Any, path: Path) -> None:
    from matplotlib import pyplot

    for one in axes:
        one.grid(alpha=0.3)
    axes[0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
