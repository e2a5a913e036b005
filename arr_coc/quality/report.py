"""The figures as JSON for machines and Markdown for people."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from arr_coc.quality.figures import Comparison, Curve, Figures
from arr_coc.quality.frugality import Frugality
from arr_coc.quality.statistics import Interval, Point

SHOWN_GROUPS = ("all", "small print", "zooming cannot help")


def write_json(path: Path, about: dict[str, str], figures: Figures) -> None:
    """All figures, rounded to what they can tell."""
    content = {
        "about": about,
        "curves": {
            mix: {name: [_point(point) for point in curve] for name, curve in groups.items()}
            for mix, groups in figures.curves.items()
        },
        "comparisons": [_comparison(one) for one in figures.comparisons],
        "frugality": [_frugality(one) for one in figures.frugalities],
    }
    path.write_text(json.dumps(content, indent=1) + "\n")


def write_markdown(path: Path, about: dict[str, str], figures: Figures, pictures: Sequence[str]) -> None:
    """Tables of the groups that matter; the rest is in the JSON."""
    lines = ["# Right answers and what they cost", ""]
    lines += [f"{name}: {value}  " for name, value in about.items()]
    lines += [
        "",
        "Intervals hold 95 % of resamples of the pictures. Milliseconds are medians, one at a time.",
    ]
    for picture in pictures:
        lines += ["", f"![{picture}]({picture})"]
    if figures.frugalities:
        lines += ["", "## auto against one budget for all", "", *_frugalities(figures.frugalities)]
    for mix, groups in figures.curves.items():
        lines += ["", f"## {mix}", "", "### auto against the others, same questions", ""]
        shown = [one for one in figures.comparisons if one.mix == mix and one.group in SHOWN_GROUPS]
        lines += _comparisons(shown)
        for name, curve in groups.items():
            if name in SHOWN_GROUPS:
                lines += ["", f"### {name}", "", *_table(curve)]
    path.write_text("\n".join(lines) + "\n")


def _table(curve: Curve) -> list[str]:
    rows = [
        [
            point.way,
            "-" if point.budget is None else str(point.budget),
            str(point.n),
            _spread(point.right),
            f"{point.tokens:.0f}",
            f"{100 * point.tokens / point.native:.1f}",
            f"{point.ms:.0f}",
        ]
        for point in sorted(curve, key=lambda point: (point.way, point.budget or 0))
    ]
    return _lined(["way", "budget", "n", "% right", "visual tokens", "% of native", "ms"], rows)


def _frugalities(frugalities: Sequence[Frugality]) -> list[str]:
    rows = [
        [
            one.mix,
            str(one.n),
            f"{one.right:.1f}",
            f"{one.tokens:.0f}",
            f"{one.fixed_right:.1f}",
            f"{one.fixed_tokens:.0f}" if one.reached else f"{one.fixed_tokens:.0f}, less right",
            f"{one.ratio:.2f}",
        ]
        for one in frugalities
    ]
    head = [
        "scenes",
        "n",
        "auto, % right",
        "tokens",
        "best fixed budget, % right",
        "tokens to be as right",
        "ratio",
    ]
    return _lined(head, rows)


def _comparisons(comparisons: Sequence[Comparison]) -> list[str]:
    rows = [
        [
            one.group,
            one.other,
            str(one.n),
            _spread(one.points, sign=True),
            f"{one.tokens:.2f}",
            f"{100 * one.native_share:.1f}",
            "-" if one.held is None else f"{100 * one.held:.0f}",
        ]
        for one in comparisons
    ]
    head = [
        "questions", "against", "n", "points", "tokens, auto / other", "% of native tokens", "% of targets in patches",
    ]  # fmt: skip
    return _lined(head, rows)


def _lined(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def _spread(interval: Interval, sign: bool = False) -> str:
    plus = "+" if sign else ""
    return f"{interval.mean:{plus}.1f} ({interval.low:{plus}.1f} to {interval.high:{plus}.1f})"


def _point(point: Point) -> dict[str, object]:
    rounded = asdict(point)
    return rounded | {
        "right": _interval(point.right),
        "tokens": round(point.tokens, 1),
        "native": round(point.native, 1),
        "ms": round(point.ms, 1),
    }


def _comparison(one: Comparison) -> dict[str, object]:
    return asdict(one) | {
        "points": _interval(one.points),
        "tokens": round(one.tokens, 3),
        "native_share": round(one.native_share, 4),
        "held": None if one.held is None else round(one.held, 3),
    }


def _frugality(one: Frugality) -> dict[str, object]:
    figures = {"right": one.right, "tokens": one.tokens, "fixed_right": one.fixed_right}
    figures |= {"fixed_tokens": one.fixed_tokens, "ratio": one.ratio}
    return asdict(one) | {name: round(value, 3) for name, value in figures.items()}


def _interval(interval: Interval) -> list[float]:
    return [round(value, 2) for value in (interval.mean, interval.low, interval.high)]
