"""Which heads look where a question points, and which at sinks.

Heads are ranked as in arXiv 2503.06287, by how much of their attention falls on the asked object, those
that spread it being left out (by the entropy of their map, for the paper's entropy of its components);
of the best, a set is put together one at a time by where its mean map has its maximum. Pure numpy.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from arr_coc.calibrate.seeing import Sight
from arr_coc.localising import SINK, against, middle_heads
from arr_coc.profile import Head
from arr_coc.types import Floats

MOST_HEADS = 5
MOST_SINKS = 2
SHORTLIST = 16
_WORTH_A_HEAD = 0.01  # a smaller gain is luck

Maps = Sequence[Floats]  # one map [cells] a sight


def localising_heads(sights: Sequence[Sight]) -> list[Head]:
    """The set of up to ``MOST_HEADS`` heads that finds best, kinds of questions counting alike."""
    left = _shortlist(sights)
    sets: list[list[Head]] = [[]]
    for _ in range(min(MOST_HEADS, len(left))):
        scores = {head: score(sights, mean_maps(sights, [*sets[-1], head])) for head in left}
        best = max(scores, key=lambda head: scores[head])
        left.remove(best)
        sets.append([*sets[-1], best])
    best_set: list[Head] = max(sets[1:], key=lambda heads: score(sights, mean_maps(sights, list(heads))))
    return sorted(best_set)


def sink_heads(sights: Sequence[Sight], localising: Sequence[Head]) -> list[Head]:
    """Heads whose tokens, once left out, let the localising heads find better; mostly there are none.

    Candidates attend most to single tokens on nothing, whatever is asked about the scene.
    """
    by_scene: dict[int, list[Sight]] = defaultdict(list)
    for sight in sights:
        by_scene[sight.scene].append(sight)
    strength = np.mean([_on_nothing(same) for same in by_scene.values()], axis=0)  # [layers, heads]
    candidates = _best(strength, MOST_SINKS)
    chosen: list[Head] = []
    for size in range(1, len(candidates) + 1):
        gain = _score_without(sights, localising, candidates[:size])
        if gain > _score_without(sights, localising, chosen) + _WORTH_A_HEAD:
            chosen = candidates[:size]
    return sorted(chosen)


def mean_maps(sights: Sequence[Sight], heads: Sequence[Head], sinks: Sequence[Head] = ()) -> list[Floats]:
    """The mean of ``heads`` for each sight, without the tokens that ``sinks`` tell: what is served."""
    return [_without(sight, _mean(sight, heads), sinks) for sight in sights]


def middle_maps(sights: Sequence[Sight]) -> list[Floats]:
    """The middle layers set against the generic question: what is served where no heads are known."""
    layers, heads = sights[0].asked.shape[:2]
    middle = middle_heads(layers, heads)
    return [against(_mean(sight, middle), sight.generic) for sight in sights]


def hit_rates(sights: Sequence[Sight], maps: Maps) -> dict[str, float]:
    """By kind, how often a map has its maximum inside the asked object."""
    hits: dict[str, list[bool]] = defaultdict(list)
    for sight, cells in zip(sights, maps, strict=True):
        hits[sight.kind].append(bool(cells.any() and sight.inside[cells.argmax()]))
    return {kind: float(np.mean(found)) for kind, found in sorted(hits.items())}


def score(sights: Sequence[Sight], maps: Maps) -> float:
    """Hit rate, mean and worst of the kinds, and the mean share of a map on the asked object."""
    rates = list(hit_rates(sights, maps).values())
    shares = [
        cells[sight.inside].sum() / max(cells.sum(), 1e-9) for sight, cells in zip(sights, maps, strict=True)
    ]
    return float(np.mean(rates) + min(rates) + np.mean(shares))


def _shortlist(sights: Sequence[Sight]) -> list[Head]:
    density = np.mean([_density(sight) for sight in sights], axis=0)  # [layers, heads]
    entropy = np.mean([_entropy(sight) for sight in sights], axis=0)
    return _best(np.where(entropy <= np.median(entropy), density, -1), SHORTLIST)


def _density(sight: Sight) -> NDArray[np.float64]:
    """Share of each head's attention on the asked object over its share of the picture."""
    maps = sight.asked.astype(np.float64)
    share = maps[..., sight.inside].sum(axis=-1) / np.maximum(maps.sum(axis=-1), 1e-9)
    return np.asarray(share / max(float(sight.inside.mean()), 1e-9))


def _entropy(sight: Sight) -> NDArray[np.float64]:
    maps = sight.asked.astype(np.float64)
    p = maps / np.maximum(maps.sum(axis=-1, keepdims=True), 1e-9)
    return np.asarray(-(p * np.log(np.where(p > 0, p, 1))).sum(axis=-1))


def _on_nothing(same_scene: Sequence[Sight]) -> NDArray[np.float64]:
    """Each head's attention to the empty cell that it attends to most, whatever is asked."""
    always = np.min([sight.asked for sight in same_scene], axis=0).astype(np.float64)
    return np.asarray((always * same_scene[0].empty).max(axis=-1))


def _best(values: NDArray[np.float64], count: int) -> list[Head]:
    order = np.argsort(-values, axis=None, kind="stable")[:count]
    return [
        (int(layer), int(head)) for layer, head in zip(*np.unravel_index(order, values.shape), strict=True)
    ]


def _mean(sight: Sight, heads: Sequence[Head]) -> Floats:
    layer, head = np.array(heads).T
    return np.asarray(sight.asked[layer, head].mean(axis=0, dtype=np.float32))


def _without(sight: Sight, cells: Floats, sinks: Sequence[Head]) -> Floats:
    if not sinks:
        return cells
    return np.where(_mean(sight, sinks) >= SINK * cells.size, np.float32(0), cells)


def _score_without(sights: Sequence[Sight], localising: Sequence[Head], sinks: Sequence[Head]) -> float:
    return score(sights, mean_maps(sights, localising, sinks))
