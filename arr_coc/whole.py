"""The whole picture in a finer view, for questions that point at no part of it.

Owns how fine that view is and what it is worth. Knows nothing of models or of what was asked.
"""

import math
from dataclasses import replace

from arr_coc.attending import worth_of_cells
from arr_coc.foveation import LEAST_ZOOM, MAX_PATCH_TOKENS, fit_grid, patch_budget
from arr_coc.types import Allocation, Box, Candidate, Grid, Patch, Scores, TexturedPicture


def is_whole(patch: Patch, picture: TexturedPicture) -> bool:
    """Whether ``patch`` is all of ``picture``."""
    return patch.box == _all(picture)


def seen_whole(picture: TexturedPicture, allocation: Allocation) -> Allocation | None:
    """``allocation`` with its tokens spent on one finer view of the whole ``picture``.

    None where the budget has no view that shows enough more than the first one.
    """
    grid = finer_grid(picture)
    if grid is None:
        return None
    best = allocation.patches[0] if allocation.patches else None
    left = Candidate(best.box, best.grid, best.value, limit="whole") if best else allocation.best_left
    return replace(allocation, patches=(_patch(picture, allocation, grid),), best_left=left)


def finer_grid(picture: TexturedPicture) -> Grid | None:
    """The finest view of all of ``picture`` that what the first one leaves of its budget pays for."""
    first = picture.grid
    tokens = min(patch_budget(picture.route, picture.budget, first), MAX_PATCH_TOKENS, picture.native_tokens)
    if first.queries is not None or tokens < LEAST_ZOOM**2 * first.tokens or not picture.lost_detail.any():
        return None
    return fit_grid(picture.width, picture.height, tokens)


def _patch(picture: TexturedPicture, allocation: Allocation, grid: Grid) -> Patch:
    means = (*allocation.knowing.mean(axis=(1, 2)), allocation.relevance.mean())
    scores = Scores(*(round(float(mean), 4) for mean in means))
    zoom, most = grid.tokens / picture.grid.tokens, picture.native_tokens / picture.grid.tokens
    restored = min(math.log(zoom) / math.log(max(most, LEAST_ZOOM**2)), 1.0)
    worth = float(worth_of_cells(allocation.relevance, picture.lost_detail).sum())
    return Patch(_all(picture), grid, scores, round(worth * restored, 6))


def _all(picture: TexturedPicture) -> Box:
    return Box(0, 0, picture.width, picture.height)
