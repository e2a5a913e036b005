"""The calibration itself: heads, sinks and weights fitted on half of the scenes, judged on the other.

Owns the order of the steps and what is compared. Knows neither files nor how results are shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from arr_coc.calibrate.finding import fit_weights, found
from arr_coc.calibrate.heads import hit_rates, localising_heads, mean_maps, middle_maps, sink_heads
from arr_coc.calibrate.seeing import Sight
from arr_coc.errors import ConfigError
from arr_coc.profile import Head, ModelProfile
from arr_coc.published import PublishedHeads
from arr_coc.types import Floats

FEWEST_SCENES = 4


@dataclass(frozen=True, slots=True)
class Row:
    """One way of telling where questions point, judged on the scenes that nothing was fitted on."""

    name: str
    hits: dict[str, float]  # by kind; empty where there is no map
    found: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was fitted, and how it compares."""

    heads: tuple[Head, ...]  # none: the middle layers find better
    sinks: tuple[Head, ...]
    least_asked: float
    most_asked: float
    rows: tuple[Row, ...]
    fitted_on: int  # questions
    judged_on: int


def calibrate(
    sights: Sequence[Sight], profile: ModelProfile, published: PublishedHeads | None = None
) -> Calibration:
    """Fit ``profile``'s weights to what was seen, and its heads where none are taken as ``published``.

    Raises ConfigError where there are too few scenes to fit on one half and judge on the other.
    """
    fit, judge = _halves(sights)
    heads, sinks = (published.localising, published.sinks) if published else _measured(fit, profile)
    maps = mean_maps(fit, heads, sinks) if heads else middle_maps(fit)
    least, most = fit_weights(fit, maps, profile)
    fitted = profile.model_copy(update={"least_asked": least, "most_asked": most})
    ways: dict[str, Sequence[Floats | None]] = {
        "middle layers, against a generic question": middle_maps(judge)
    }
    if heads:
        ways = {_name(heads, sinks): mean_maps(judge, heads, sinks), **ways}
    ways["salience and information alone"] = [None] * len(judge)
    rows = tuple(Row(name, _rates(judge, maps), found(judge, maps, fitted)) for name, maps in ways.items())
    return Calibration(tuple(heads), tuple(sinks), least, most, rows, len(fit), len(judge))


def _halves(sights: Sequence[Sight]) -> tuple[list[Sight], list[Sight]]:
    scenes = sorted({sight.scene for sight in sights})
    if len(scenes) < FEWEST_SCENES:
        raise ConfigError(
            f"{FEWEST_SCENES} scenes at least are needed to fit and to judge; give more --scenes"
        )
    first = set(scenes[::2])
    fit = [sight for sight in sights if sight.scene in first]
    return fit, [sight for sight in sights if sight.scene not in first]


def _measured(fit: Sequence[Sight], profile: ModelProfile) -> tuple[Sequence[Head], Sequence[Head]]:
    """Localising heads and sinks; none where the middle layers find more."""
    heads = localising_heads(fit)
    sinks = sink_heads(fit, heads)
    better = found(fit, mean_maps(fit, heads, sinks), profile) >= found(fit, middle_maps(fit), profile)
    return (heads, sinks) if better else ([], [])


def _rates(sights: Sequence[Sight], maps: Sequence[Floats | None]) -> dict[str, float]:
    known = [cells for cells in maps if cells is not None]
    return hit_rates(sights, known) if known else {}


def _name(heads: Sequence[Head], sinks: Sequence[Head]) -> str:
    without = f", without the sinks of {_listed(sinks)}" if sinks else ""
    return f"heads {_listed(heads)}{without}"


def _listed(heads: Sequence[Head]) -> str:
    return " ".join(f"{layer}:{head}" for layer, head in heads)
