"""What a run shows, as ratios: of each round, then their median. The bars of the project are in `BARS`.

Owns which cells a figure is made of. Knows nothing of how they are measured or printed.
"""

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from load_tests.bench.journal import Key
from load_tests.bench.loads import Load
from load_tests.bench.mixes import MIXES
from load_tests.bench.outcome import Cell
from load_tests.bench.peers import OURS, names
from load_tests.bench.plans import CLIENTS, OFFLINE, TOGETHER

Book = Mapping[Key, Cell]
Figure = Callable[[int], float | None]  # of a round; None where it was not measured
WITHIN_S = {"demo": 2.0, "random-60m": 15.0}  # the latency that answers must keep, by model
DEADLINE_S = {"demo": 5.0, "random-60m": 40.0}  # and under overload
ROUNDS = 3  # from which on a median is one


@dataclass(frozen=True, slots=True)
class Row:
    """A ratio held against a bar and an aim; ``rounds`` are those it is the median of. Where
    ``at_most``, less is better."""

    what: str
    against: str
    rounds: tuple[float, ...]
    bar: float
    aim: float
    at_most: bool = False

    @property
    def ratio(self) -> float:
        return statistics.median(self.rounds)

    @property
    def verdict(self) -> str:
        """Which of the two it reaches."""
        reaches = self.ratio.__le__ if self.at_most else self.ratio.__ge__
        reached = "aim" if reaches(self.aim) else "bar" if reaches(self.bar) else "missed"
        return reached if len(self.rounds) >= ROUNDS else f"{reached}, of {len(self.rounds)} rounds only"


def bars(book: Book) -> list[Row]:
    """All rows that were measured."""
    return [row for row in _rows(book) if row.rounds]


def _rows(book: Book) -> Iterator[Row]:
    for tail in ("", "-60m"):
        yield from _answers(book, tail)
        yield from _goodput(book, f"lengths{tail}")
    yield _large(book)
    yield from _vllm(book)
    yield from _limits(book)
    for mix in ("lengths", "lengths-60m"):
        yield _first_text(book, mix)
        yield _overload(book, mix)


def _answers(book: Book, tail: str) -> Iterator[Row]:
    mix = f"unique{tail}"
    for peer in names("single", "batching"):
        bar, aim = (3.0, 5.0) if peer in names("single") else (1.0, 1.1)
        rounds = _each(book, _rate(book, OURS, mix, CLIENTS), _rate(book, peer, mix, CLIENTS))
        yield Row(f"answers/s, 32 clients, {mix}", peer, rounds, bar, aim)


def _goodput(book: Book, mix: str) -> Iterator[Row]:
    limit = WITHIN_S[MIXES[mix].model]
    for peer in names("batching"):
        rounds = _each(book, _best_goodput(book, OURS, mix, limit), _best_goodput(book, peer, mix, limit))
        yield Row(f"goodput within {limit:g} s, Poisson, {mix}", peer, rounds, 1.5, 2.5)


def _large(book: Book) -> Row:
    def best(round_: int) -> float | None:
        rates = [_right(book, peer)(round_) for peer in names("single", "batching", "continuous")]
        return max((rate for rate in rates if rate is not None), default=None)

    return Row(
        "right answers/s, 1,024 px, 32 clients",
        "best native",
        _each(book, _right(book, OURS), best),
        2.0,
        4.0,
    )


def _vllm(book: Book) -> Iterator[Row]:
    for mix in ("unique", "repeated", "unique-60m", "repeated-60m"):
        for load in ("closed-8", CLIENTS):
            rounds = _each(book, _rate(book, OURS, mix, load), _rate(book, "vllm", mix, load))
            yield Row(f"answers/s, {load.removeprefix('closed-')} clients, {mix}", "vllm", rounds, 1.0, 1.3)


def _limits(book: Book) -> Iterator[Row]:
    for mix in ("unique", "unique-60m"):
        direct = _each(book, _rate(book, OURS, mix, CLIENTS), _rate(book, "engine", mix, CLIENTS))
        yield Row(f"answers/s over HTTP, 32 clients, {mix}", "engine", direct, 0.75, 0.85)
    for mix in ("unique", "lengths", "unique-60m"):
        staggered = _each(book, _rate(book, OFFLINE, mix, "own-1.5"), _rate(book, OFFLINE, mix, TOGETHER))
        yield Row(f"engine, staggered arrivals, {mix}", "offline batch", staggered, 0.9, 0.95)


def _first_text(book: Book, mix: str) -> Row:
    def p99(peer: str) -> Figure:
        return _of(book, peer, mix, "own-0.8-stream", lambda cell: cell.first_text(0.99))

    def best(round_: int) -> float | None:
        times = [p99(peer)(round_) for peer in names("single", "batching", "continuous")]
        return min((time for time in times if time is not None), default=None)

    rounds = _each(book, p99(OURS), best)
    return Row(f"p99 to first text at 0.8 of capacity, {mix}", "best peer", rounds, 1.0, 0.5, at_most=True)


def _overload(book: Book, mix: str) -> Row:
    limit = DEADLINE_S[MIXES[mix].model]
    flooded = _of(book, OURS, mix, "own-3", lambda cell: cell.goodput(limit))
    rounds = _each(book, flooded, _best_goodput(book, OURS, mix, limit))
    return Row(f"goodput within {limit:g} s at 3x load, {mix}", "its own peak", rounds, 0.8, 0.9)


def _rate(book: Book, peer: str, mix: str, load: str) -> Figure:
    return _of(book, peer, mix, load, Cell.rate)


def _right(book: Book, peer: str) -> Figure:
    return _of(book, peer, "large", CLIENTS, lambda cell: cell.rate(right_only=True))


def _best_goodput(book: Book, peer: str, mix: str, limit_s: float) -> Figure:
    """Over all rates of Poisson arrivals that were measured in the round."""

    def best(round_: int) -> float | None:
        found = (
            cell.goodput(limit_s)
            for key, cell in book.items()
            if (key.peer, key.mix, key.round) == (peer, mix, round_) and Load.parse(key.load).open
        )
        return max(found, default=None)

    return best


def _of(book: Book, peer: str, mix: str, load: str, figure: Callable[[Cell], float]) -> Figure:
    def found(round_: int) -> float | None:
        cell = book.get(Key(peer, mix, load, round_))
        return None if cell is None else figure(cell)

    return found


def _each(book: Book, above: Figure, below: Figure) -> tuple[float, ...]:
    """The ratio in each round in which both were measured."""
    return tuple(_ratios((above(round_), below(round_)) for round_ in sorted({key.round for key in book})))


def _ratios(pairs: Iterable[tuple[float | None, float | None]]) -> Iterator[float]:
    """Nothing over nothing says nothing, nor does for ever over for ever."""
    for above, below in pairs:
        if above is None or below is None or above == below == 0 or (math.isinf(above) and math.isinf(below)):
            continue
        yield above / below if below else math.inf
