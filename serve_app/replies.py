"""The reply to a question, as JSON. Boxes are whole pixels of the upright picture."""

import math
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict

from arr_coc.types import Allocation, Box, FinishReason, Floats, Grid, Patch, Report, Route

_DIGITS = 3  # scores and times; finer is noise


class _Reply(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class UsageReply(_Reply):
    """Tokens: ``prompt_tokens`` counts the final prompt, its visual tokens included."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class SizeReply(_Reply):
    """The upright picture in pixels."""

    width: int
    height: int


class GridReply(_Reply):
    """The first view: the overview on the route ``zoom``, the whole picture on ``direct``."""

    rows: int
    cols: int
    tokens: int


class ScoresReply(_Reply):
    """A patch by the three ways of knowing, and their balance; 0..1."""

    propositional: float
    perspectival: float
    participatory: float
    relevance: float


class PatchReply(_Reply):
    """A part that was looked at again; ``box`` is ``[x0, y0, x1, y1]``, half open."""

    box: tuple[int, int, int, int]
    tokens: int
    rows: int
    cols: int
    scores: ScoresReply


class BalanceReply(_Reply):
    """Weights of the three ways of knowing; they sum to one."""

    propositional: float
    perspectival: float
    participatory: float


class RelevanceReply(_Reply):
    """Maps over the overview's cells, row by row, 0..1; sent where ``explain`` was asked for."""

    relevance: list[list[float]]
    propositional: list[list[float]]
    perspectival: list[list[float]]
    participatory: list[list[float]]


class Reply(_Reply):
    """An answer and how it came about.

    ``avg_tokens_per_patch`` is the mean over the patches that were sent, 0.0 where there were none.
    ``balance`` and ``relevance`` are null but on the route ``zoom``; ``image`` and ``overview`` where
    there is not exactly one picture.
    """

    answer: str
    total_visual_tokens: int
    avg_tokens_per_patch: float
    finish_reason: FinishReason
    usage: UsageReply
    route: Route
    image: SizeReply | None
    overview: GridReply | None
    native_visual_tokens: int
    patches: list[PatchReply]
    balance: BalanceReply | None
    relevance: RelevanceReply | None = None
    timings_ms: dict[str, float]
    model: str
    request_id: str

    def fields(self, *, explain: bool, with_answer: bool = True) -> dict[str, Any]:
        """Ready for JSON: ``relevance`` only where it was asked for, ``answer`` unless it has
        been streamed already."""
        left_out = {name for name, wanted in (("relevance", explain), ("answer", with_answer)) if not wanted}
        return self.model_dump(mode="json", exclude=left_out)


def reply_to(report: Report, *, model: str, request_id: str) -> Reply:
    """The reply that tells all of ``report``."""
    allocation, usage = report.allocation, report.usage
    one_picture = report.grid.tokens > 0
    patches = allocation.patches if allocation is not None else ()
    return Reply(
        answer=report.text,
        total_visual_tokens=usage.visual_tokens,
        avg_tokens_per_patch=_mean(patch.tokens for patch in patches),
        finish_reason=report.finish_reason,
        usage=UsageReply(
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            total_tokens=usage.prompt_tokens + usage.completion_tokens,
        ),
        route=report.route,
        image=SizeReply(width=report.width, height=report.height) if one_picture else None,
        overview=_grid(report.grid) if one_picture else None,
        native_visual_tokens=report.native_tokens,
        patches=[_patch(patch, report.width, report.height) for patch in patches],
        balance=_balance(allocation),
        relevance=_relevance(allocation),
        timings_ms={name: round(float(ms), _DIGITS) for name, ms in report.timings_ms.items()},
        model=model,
        request_id=request_id,
    )


def _mean(values: Iterable[int]) -> float:
    listed = list(values)
    return round(sum(listed) / len(listed), _DIGITS) if listed else 0.0


def _grid(grid: Grid) -> GridReply:
    return GridReply(rows=grid.rows, cols=grid.cols, tokens=grid.tokens)


def _patch(patch: Patch, width: int, height: int) -> PatchReply:
    scores = patch.scores
    return PatchReply(
        box=_pixels(patch.box, width, height),
        tokens=patch.tokens,
        rows=patch.grid.rows,
        cols=patch.grid.cols,
        scores=ScoresReply(
            propositional=round(scores.propositional, _DIGITS),
            perspectival=round(scores.perspectival, _DIGITS),
            participatory=round(scores.participatory, _DIGITS),
            relevance=round(scores.relevance, _DIGITS),
        ),
    )


def _pixels(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """The whole pixels that ``box`` touches, within the picture."""
    return (
        max(0, math.floor(box.x0)),
        max(0, math.floor(box.y0)),
        min(width, math.ceil(box.x1)),
        min(height, math.ceil(box.y1)),
    )


def _balance(allocation: Allocation | None) -> BalanceReply | None:
    if allocation is None:
        return None
    balance = allocation.balance
    return BalanceReply(
        propositional=round(balance.propositional, _DIGITS),
        perspectival=round(balance.perspectival, _DIGITS),
        participatory=round(balance.participatory, _DIGITS),
    )


def _relevance(allocation: Allocation | None) -> RelevanceReply | None:
    if allocation is None:
        return None
    propositional, perspectival, participatory = (_map(cells) for cells in allocation.knowing)
    return RelevanceReply(
        relevance=_map(allocation.relevance),
        propositional=propositional,
        perspectival=perspectival,
        participatory=participatory,
    )


def _map(cells: Floats) -> list[list[float]]:  # [rows, cols]
    return [[round(float(cell), _DIGITS) for cell in row] for row in cells]
