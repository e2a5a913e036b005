"""Asks an exam in many ways, and writes down what came of it.

Owns what is asked in which order and what a record holds.
"""

import time
from collections.abc import Callable, Sequence

from arr_coc.answers import Report
from arr_coc.quality.asking import Asker, Look
from arr_coc.quality.exam import Exam, Item, Paper
from arr_coc.quality.journal import Journal, Record
from arr_coc.types import Box

COVERED = 0.75  # of a target, from which a patch holds it
Plan = Sequence[tuple[str, int | None]]  # ways and the budgets they are asked at
NEEDS_TARGETS = "oracle"
NATIVE = "native"
WITHOUT_BUDGET = ("downsampled", "oracle")
"""Ways of the curve that are asked at the model's own budget as well, to be held against ``auto``."""


def plan(asker: Asker, budgets: Sequence[int], curve: Sequence[str], single: Sequence[str]) -> Plan:
    """Ways of ``curve`` at each of ``budgets``, and the ``single`` ones as the server would by itself."""
    assert asker.ways.keys() >= {*curve, *single}
    own = [way for way in WITHOUT_BUDGET if way in curve]
    return [
        *((way, budget) for way in curve for budget in budgets),
        *((way, None) for way in (*single, *own)),
    ]


async def run(
    asker: Asker, exam: Exam, plan: Plan, journal: Journal, until: float, tell: Callable[[str], None]
) -> bool:
    """Ask all that the journal does not hold yet, picture by picture, until ``time.monotonic()`` is past
    ``until``. Whether all was asked."""
    for number, paper in enumerate(exam.papers(), 1):
        missing = [
            (item, way, budget)
            for way, budget in plan
            for item in paper.items
            if (item.id, way, budget) not in journal and not (way == NEEDS_TARGETS and not item.targets)
        ]
        if not missing:
            continue
        image, before = paper.load(), len(journal.records)
        for item, way, budget in missing:
            if time.monotonic() > until:
                return False
            look = asker.look(way, image, budget)
            if way != NATIVE or look.picture.route == "direct":
                report = await asker.ask(look, item, exam.max_new_tokens)
                journal.add(_record(exam, paper, item, way, budget, look, report))
        if len(journal.records) > before:
            tell(f"{number}: {paper.id}, {len(journal.records)} answers")
    return True


def _record(
    exam: Exam, paper: Paper, item: Item, way: str, budget: int | None, look: Look, report: Report
) -> Record:
    return Record(
        item=item.id,
        paper=paper.id,
        mix=paper.mix,
        kind=item.kind,
        print_height=round(item.print_height, 1),
        way=way,
        budget=budget,
        route=report.route,
        tokens=report.usage.visual_tokens,
        native=report.native_tokens,
        ms=round(look.picture.texture_ms + report.timings_ms["total"], 2),
        score=exam.mark(report.text, item.answers),
        held=_held(item.targets, report),
    )


def _held(targets: Sequence[Box], report: Report) -> float | None:
    if report.allocation is None or not report.allocation.patches or not targets:
        return None
    boxes = [patch.box for patch in report.allocation.patches]
    return sum(any(_holds(box, target) for box in boxes) for target in targets) / len(targets)


def _holds(box: Box, target: Box) -> bool:
    width = min(box.x1, target.x1) - max(box.x0, target.x0)
    height = min(box.y1, target.y1) - max(box.y0, target.y0)
    return max(width, 0) * max(height, 0) >= COVERED * target.area
