"""The figures of a run: points of every curve by mix, kind and print, and the comparisons that count.

Owns what is grouped how. Knows neither files nor drawing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from arr_coc.quality.frugality import EVERYWHERE, Frugality, frugality
from arr_coc.quality.journal import Record
from arr_coc.quality.scenes import READING, WHOLE
from arr_coc.quality.statistics import Interval, Point, difference, point
from arr_coc.quality.ways import ABLATIONS

PRINT_BANDS = ((0.0, 16.0), (16.0, 24.0), (24.0, float("inf")))  # cap heights in pixels
Curve = list[Point]
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Comparison:
    """``auto`` against another way on the same questions."""

    mix: str
    group: str
    other: str
    n: int
    points: Interval
    tokens: float  # auto's, over the other's
    native_share: float  # auto's tokens over native resolution's
    held: float | None  # share of targets that auto's patches hold, where it took any


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that is reported."""

    curves: dict[str, dict[str, Curve]]  # mix -> group -> points
    comparisons: list[Comparison]
    frugalities: list[Frugality]  # of each mix, and of all together


def figures(records: Sequence[Record]) -> Figures:
    """The figures of one exam's records."""
    curves: dict[str, dict[str, Curve]] = {}
    comparisons: list[Comparison] = []
    mixes = _grouped(records, lambda record: record.mix)
    for mix, members in mixes.items():
        groups = _groups(members)
        curves[mix] = {name: _curve(group) for name, group in groups.items()}
        comparisons += [one for name, group in groups.items() for one in _comparisons(mix, name, group)]
    together = {EVERYWHERE: list(records)} if len(mixes) > 1 else {}
    saved = [frugality(mix, members) for mix, members in (mixes | together).items()]
    return Figures(curves, comparisons, [one for one in saved if one])


def _groups(records: Sequence[Record]) -> dict[str, list[Record]]:
    """All, by what zooming can do for a question where any way zooms, each kind, and by the print's size."""
    groups = {"all": list(records)}
    zoomed = {record.item for record in records if record.route == "zoom"}
    coarse = {"small print": READING, "zooming cannot help": WHOLE}
    for name, kinds in coarse.items():
        groups[name] = [r for r in records if r.kind in kinds and r.item in zoomed]
    groups |= _grouped(records, lambda record: f"kind: {record.kind}")
    for low, high in PRINT_BANDS:
        groups[_band(low, high)] = [r for r in records if r.print_height and low <= r.print_height < high]
    return {name: members for name, members in groups.items() if members}


def _band(low: float, high: float) -> str:
    if low == 0:
        return f"print under {high:.0f} px"
    return f"print of {low:.0f}-{high:.0f} px" if high < float("inf") else f"print from {low:.0f} px"


def _curve(records: Iterable[Record]) -> Curve:
    """Points over the questions that were asked in every way, parts missing aside."""
    whole = (record for record in records if record.way not in ABLATIONS)
    points = _grouped(whole, lambda record: (record.way, record.budget)).values()
    common = set.intersection(*({record.item for record in members} for members in points))
    asked = [[record for record in members if record.item in common] for members in points]
    return [point(members) for members in asked if members]


def _comparisons(mix: str, group: str, records: Sequence[Record]) -> list[Comparison]:
    """``auto`` against all that was asked without a budget."""
    ways = _grouped((r for r in records if r.budget is None), lambda record: record.way)
    auto = ways.pop("auto", [])
    return [one for other in ways.values() if (one := _compared(mix, group, auto, other))]


def _compared(mix: str, group: str, auto: Sequence[Record], other: Sequence[Record]) -> Comparison | None:
    gap = difference(auto, other)
    if gap is None:
        return None
    asked = {record.item for record in other}
    both = [record for record in auto if record.item in asked]
    tokens = sum(record.tokens for record in both)
    held = [record.held for record in both if record.held is not None]
    return Comparison(
        mix=mix,
        group=group,
        other=other[0].way,
        n=len(both),
        points=gap,
        tokens=tokens / sum(record.tokens for record in other),
        native_share=tokens / sum(record.native for record in both),
        held=sum(held) / len(held) if held else None,
    )


def _grouped(records: Iterable[Record], key: Callable[[Record], K]) -> dict[K, list[Record]]:
    groups: dict[K, list[Record]] = defaultdict(list)
    for record in records:
        groups[key(record)].append(record)
    return dict(groups)
