"""The reply to a question, as JSON. Boxes are whole pixels of the upright picture."""

from collections.abc import Iterable
from typing import Any

from arr_coc.answers import Report
from arr_coc.types import Allocation, FinishReason, Grid, Patch, Route
from serve_app.explaining import (
    DIGITS,
    EXPLAINING,
    VALUE_DIGITS,
    AllocationReply,
    RelevanceReply,
    ReplyModel,
    allocation_reply,
    pixels,
    relevance_reply,
)


class UsageReply(ReplyModel):
    """Tokens: ``prompt_tokens`` counts the final prompt, its visual tokens included."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class SizeReply(ReplyModel):
    """The upright picture in pixels."""

    width: int
    height: int


class GridReply(ReplyModel):
    """The first view: the overview on the route ``zoom``, the whole picture on ``direct``.

    It cost ``tokens``, one for each of its cells unless the model sums a view up in fewer."""

    rows: int
    cols: int
    tokens: int


class ScoresReply(ReplyModel):
    """A patch by the three ways of knowing, and their balance; 0..1."""

    propositional: float
    perspectival: float
    participatory: float
    relevance: float


class PatchReply(ReplyModel):
    """A part that was looked at again; ``box`` is ``[x0, y0, x1, y1]``, half open.

    It cost ``tokens``; ``value``, its modelled worth in shares of the picture's relevance, is sent where
    ``explain`` was asked for.
    """

    box: tuple[int, int, int, int]
    tokens: int
    rows: int
    cols: int
    scores: ScoresReply
    value: float | None = None


class BalanceReply(ReplyModel):
    """Weights of the three ways of knowing; they sum to one."""

    propositional: float
    perspectival: float
    participatory: float


class Reply(ReplyModel):
    """An answer and how it came about.

    ``avg_tokens_per_patch`` is the mean over the patches that were sent, 0.0 where there were none.
    ``balance``, ``relevance`` and ``allocation`` are null but on the route ``zoom``; ``image`` and
    ``overview`` where there is not exactly one picture.
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
    allocation: AllocationReply | None = None
    timings_ms: dict[str, float]
    model: str
    request_id: str

    def fields(self, *, explain: bool, with_answer: bool = True) -> dict[str, Any]:
        """Ready for JSON: what explains the allocation only where it was asked for, ``answer`` unless
        it has been streamed already."""
        left_out: dict[str, Any] = {} if explain else dict(EXPLAINING)
        if not with_answer:
            left_out["answer"] = True
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
        relevance=relevance_reply(allocation),
        allocation=allocation_reply(allocation, report.width, report.height),
        timings_ms={name: round(float(ms), DIGITS) for name, ms in report.timings_ms.items()},
        model=model,
        request_id=request_id,
    )


def _mean(values: Iterable[int]) -> float:
    listed = list(values)
    return round(sum(listed) / len(listed), DIGITS) if listed else 0.0


def _grid(grid: Grid) -> GridReply:
    return GridReply(rows=grid.rows, cols=grid.cols, tokens=grid.tokens)


def _patch(patch: Patch, width: int, height: int) -> PatchReply:
    scores = patch.scores
    return PatchReply(
        box=pixels(patch.box, width, height),
        tokens=patch.tokens,
        rows=patch.grid.rows,
        cols=patch.grid.cols,
        scores=ScoresReply(
            propositional=round(scores.propositional, DIGITS),
            perspectival=round(scores.perspectival, DIGITS),
            participatory=round(scores.participatory, DIGITS),
            relevance=round(scores.relevance, DIGITS),
        ),
        value=round(patch.value, VALUE_DIGITS),
    )


def _balance(allocation: Allocation | None) -> BalanceReply | None:
    if allocation is None:
        return None
    balance = allocation.balance
    return BalanceReply(
        propositional=round(balance.propositional, DIGITS),
        perspectival=round(balance.perspectival, DIGITS),
        participatory=round(balance.participatory, DIGITS),
    )
