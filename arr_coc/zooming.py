"""The route ZOOM, stage by stage: probes of the overview, relevance, and the answer prompt.

Owns the order of the stages and what is handed from one to the next. Knows neither how prompts are
worded nor when the engine runs them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from arr_coc.engine.sequence import Probe, Resume, Stage
from arr_coc.gating import Gatekeeper
from arr_coc.localising import Localiser, against
from arr_coc.model.adapter import Adapter, Prompt
from arr_coc.probing import GENERIC_QUERY, GenericAttention, generic_prompt
from arr_coc.types import Allocation, Candidate, Floats, Patch, TexturedPicture
from arr_coc.whole import seen_whole


class Allocator(Protocol):
    """Decides where to look closer; ``arr_coc.relevance.Relevance`` is the one that is served."""

    def allocate(self, picture: TexturedPicture, attention: Floats | None) -> Allocation:
        """Patches of ``picture`` for the probe's ``attention`` [rows, cols]."""


@dataclass(slots=True)
class Zoom:
    """One request between its first stage and its report."""

    picture: TexturedPicture
    prompt: Prompt  # the question about the overview alone
    answer: Callable[
        [Sequence[Patch]], Prompt
    ]  # the question about what is seen once there are these patches
    allocation: Allocation | None = None


class Zooming:
    """Leads requests through the route; any number at once."""

    def __init__(
        self, adapter: Adapter, localiser: Localiser, allocator: Allocator, gatekeeper: Gatekeeper
    ) -> None:
        self._adapter = adapter
        self._localiser = localiser
        self._allocator = allocator
        self._gatekeeper = gatekeeper
        self._generic = GenericAttention()

    def first_stage(self, zoom: Zoom) -> Stage:
        """What to prefill first; the stages that follow it fill ``zoom.allocation`` in."""
        match self._localiser.coupling:
            case "none":
                return self._answered(zoom, None) or Stage(zoom.prompt)
            case "heads":
                return Stage(zoom.prompt, self._after_question(zoom, None))
            case "layers":
                return self._generic_first(zoom)

    def _generic_first(self, zoom: Zoom) -> Stage:
        key = zoom.prompt.prefix_key
        if (known := self._generic.get(key)) is not None:
            return Stage(zoom.prompt, self._after_question(zoom, known))

        def after_generic(probe: Probe) -> Stage:
            generic = self._localiser.attention(probe.attention)
            self._generic.put(key, generic)
            return Stage(zoom.prompt, self._after_question(zoom, generic))

        about_nothing = self._adapter.prompt([zoom.picture.grid], GENERIC_QUERY)
        return Stage(generic_prompt(zoom.prompt, about_nothing), after_generic)

    def _after_question(self, zoom: Zoom, generic: Floats | None) -> Resume:
        def after_question(probe: Probe) -> Stage | None:
            asked = self._localiser.attention(probe.attention)
            asked = asked if generic is None else against(asked, generic)
            attention = asked.reshape(zoom.picture.grid.shape)
            if not zoom.picture.auto:
                return self._answered(zoom, attention)
            if not self._gatekeeper.points(self._localiser.share(probe.attention)):
                whole = self._about_the_whole(zoom, attention)
                if whole is not None:
                    return whole
            certain = self._gatekeeper.certain(probe.token, probe.probability)
            return self._answered(zoom, attention, certain)

        return after_question

    def _about_the_whole(self, zoom: Zoom, attention: Floats) -> Stage | None:
        """The answer's stage where all of the picture is seen again; None where no finer view is to be had.

        However certain an answer from the overview is: what was too small to be seen there is not missed.
        """
        allocation = seen_whole(zoom.picture, self._allocator.allocate(zoom.picture, attention))
        if allocation is None:
            return None
        zoom.allocation = replace(allocation, coupling=self._localiser.coupling)
        return Stage(zoom.answer(allocation.patches))

    def _answered(self, zoom: Zoom, attention: Floats | None, certain: bool = False) -> Stage | None:
        """The answer's stage; None where no patch is worth its tokens, or the answer is ``certain``."""
        allocation = self._allocator.allocate(zoom.picture, attention)
        allocation = _nothing_taken(allocation) if certain else allocation
        zoom.allocation = replace(allocation, coupling=self._localiser.coupling)
        if not allocation.patches:
            return None
        resume = None if attention is None else self._after_look(zoom, zoom.picture, attention, looks=1)
        return Stage(zoom.answer(allocation.patches), resume)

    def _after_look(
        self, zoom: Zoom, picture: TexturedPicture, attention: Floats, looks: int
    ) -> Resume | None:
        """Looks elsewhere where the answer is a doubt in spite of ``looks`` at patches of ``picture``."""
        if not picture.auto or looks >= self._gatekeeper.looks:
            return None

        def after_look(probe: Probe) -> Stage | None:
            assert zoom.allocation is not None
            if not self._gatekeeper.doubtful(probe.token):
                return None
            hidden = _seen(picture, zoom.allocation.patches)
            rest = replace(picture, lost_detail=np.where(hidden, 0, picture.lost_detail))
            elsewhere = np.where(hidden, 0, attention)
            again = self._allocator.allocate(rest, elsewhere)
            if not again.patches:
                return None
            patches = (*again.patches, *zoom.allocation.patches)
            zoom.allocation = replace(zoom.allocation, patches=patches, best_left=again.best_left)
            return Stage(zoom.answer(again.patches), self._after_look(zoom, rest, elsewhere, looks + 1))

        return after_look


def _seen(picture: TexturedPicture, patches: Sequence[Patch]) -> NDArray[np.bool_]:
    """The cells ``[rows, cols]`` of the overview whose middle lies in one of ``patches``."""
    rows, cols = picture.grid.shape
    y = ((np.arange(rows) + 0.5) * picture.height / rows)[:, None]
    x = (np.arange(cols) + 0.5) * picture.width / cols
    boxes = [patch.box for patch in patches]
    inside = [(box.y0 <= y) & (y < box.y1) & (box.x0 <= x) & (x < box.x1) for box in boxes]
    return np.asarray(np.any(inside, axis=0))


def _nothing_taken(allocation: Allocation) -> Allocation:
    """``allocation`` where the overview alone gave a certain answer: its best patch is the best one left."""
    if not allocation.patches:
        return allocation
    best = allocation.patches[0]
    return replace(
        allocation, patches=(), best_left=Candidate(best.box, best.grid, best.value, limit="certain")
    )
