"""Whether an answer is right, and how a set of answers adds up. Knows no model and no transport."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Graded:
    """One answered question."""

    kind: str
    route: str
    visual_tokens: int
    native_tokens: int
    right: bool


def is_right(answer: str, expected: str) -> bool:
    """Whether ``answer`` contains the expected words in order, side by side, whatever the case."""
    given, wanted = (re.findall(r"[a-z0-9]+", text.lower()) for text in (answer, expected))
    return any(given[i : i + len(wanted)] == wanted for i in range(len(given) - len(wanted) + 1))


def summary(graded: Iterable[Graded]) -> dict[str, dict[str, float]]:
    """Per group (all, each kind, each route): questions, share right in percent, and mean visual
    tokens beside what native resolution would have cost."""
    groups: dict[str, list[Graded]] = defaultdict(list)
    for one in graded:
        for group in ("all", one.kind, f"route {one.route}"):
            groups[group].append(one)
    return {name: _figures(members) for name, members in sorted(groups.items())}


def table(figures: dict[str, dict[str, float]]) -> str:
    """The summary as a Markdown table."""
    lines = ["| group | n | % right | visual tokens | native |", "|---|---|---|---|---|"]
    for name, f in figures.items():
        lines.append(
            f"| {name} | {f['n']:.0f} | {f['right']:.1f} | {f['visual_tokens']:.0f} | {f['native_tokens']:.0f} |"
        )
    return "\n".join(lines)


def _figures(members: list[Graded]) -> dict[str, float]:
    n = len(members)
    return {
        "n": n,
        "right": 100 * sum(m.right for m in members) / n,
        "visual_tokens": sum(m.visual_tokens for m in members) / n,
        "native_tokens": sum(m.native_tokens for m in members) / n,
    }
