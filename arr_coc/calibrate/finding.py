"""Whether the patches that would be served hold what was asked for, and the weights that make them.

Owns the measure that calibration reports and fits by. Knows nothing of where maps come from.
"""

from collections.abc import Sequence

import numpy as np

from arr_coc.calibrate.seeing import Sight
from arr_coc.profile import ModelProfile
from arr_coc.relevance import Relevance
from arr_coc.types import Box, Floats

COVERED = 0.75  # of the asked object, from which a patch holds it
WEIGHTS = (0.0, 0.3, 0.5, 0.7, 0.9, 1.0)


def found(sights: Sequence[Sight], maps: Sequence[Floats | None], profile: ModelProfile) -> float:
    """How often one of the patches allocated under ``profile`` holds the asked object."""
    relevance = Relevance(profile)
    return float(
        np.mean([_holds(sight, cells, relevance) for sight, cells in zip(sights, maps, strict=True)])
    )


def fit_weights(
    sights: Sequence[Sight], maps: Sequence[Floats], profile: ModelProfile
) -> tuple[float, float]:
    """The least and the most that a question shall weigh: those that find best.

    What the profile has stays where others find no more than one question more.
    """
    kept = (profile.least_asked, profile.most_asked)
    tried = {
        (least, most): found(sights, maps, _weighed(profile, least, most))
        for least in WEIGHTS
        for most in WEIGHTS
        if least <= most
    }
    best = max(tried, key=lambda weights: tried[weights])
    gain = tried[best] - found(sights, maps, profile)
    return best if gain > 1.5 / len(sights) else kept


def _weighed(profile: ModelProfile, least: float, most: float) -> ModelProfile:
    return profile.model_copy(update={"least_asked": least, "most_asked": most})


def _holds(sight: Sight, cells: Floats | None, relevance: Relevance) -> bool:
    attention = None if cells is None else cells.reshape(sight.picture.grid.shape)
    patches = relevance.allocate(sight.picture, attention).patches
    return any(_shared(patch.box, sight.box) >= COVERED * sight.box.area for patch in patches)


def _shared(a: Box, b: Box) -> float:
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    return max(width, 0) * max(height, 0)
