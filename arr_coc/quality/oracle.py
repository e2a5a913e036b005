"""Looks closer at what it was told: the most that any allocation could do.

Knows nothing of maps.
"""

import math
from collections.abc import Sequence

import numpy as np

from arr_coc.foveation import MAX_PATCH_TOKENS, MIN_PATCH_TOKENS, patch_budget
from arr_coc.quality.exam import around
from arr_coc.types import Allocation, Balance, Box, Floats, Grid, Patch, Scores, TexturedPicture

_MOST = int(MAX_PATCH_TOKENS**0.5)  # tokens along a patch's side


class Oracle:
    """One square patch around each target, or around all where the budget has no patch for each.

    A budget that was named is spent; else a patch is as small as shows its target natively.
    """

    def __init__(self, side: int) -> None:
        self._side = side
        self._targets: tuple[Box, ...] = ()

    def tell(self, targets: Sequence[Box]) -> None:
        """What the next question is about."""
        self._targets = tuple(targets)

    def allocate(self, picture: TexturedPicture, attention: Floats | None) -> Allocation:
        """Patches that share the budget evenly."""
        cells = np.zeros(picture.grid.shape, dtype=np.float32)
        budget = patch_budget(picture.route, picture.budget, picture.grid)
        targets = self._targets
        if budget < len(targets) * MIN_PATCH_TOKENS:
            targets = (around(targets),)
        patches = tuple(
            self._patch(picture, box, self._tokens(picture, box, budget // len(targets)))
            for box in targets
            if budget
        )
        return Allocation(patches, Balance(0.0, 0.0, 1.0), cells, np.stack([cells] * 3), budget=budget)

    def _tokens(self, picture: TexturedPicture, box: Box, most: int) -> int:
        needed = math.ceil(max(box.width, box.height) / self._side) ** 2
        return min(max(needed, MIN_PATCH_TOKENS), most) if picture.auto else most

    def _patch(self, picture: TexturedPicture, box: Box, tokens: int) -> Patch:
        """As much as ``tokens`` show at native detail, the middle of ``box`` in its middle."""
        n = min(int(tokens**0.5), _MOST)
        across = min(n * self._side, picture.width, picture.height)
        x = min(max(0.0, (box.x0 + box.x1 - across) / 2), picture.width - across)
        y = min(max(0.0, (box.y0 + box.y1 - across) / 2), picture.height - across)
        return Patch(Box(x, y, x + across, y + across), Grid(n, n), Scores(0.0, 0.0, 1.0, 1.0), 1.0)
