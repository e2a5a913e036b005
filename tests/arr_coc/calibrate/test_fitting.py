from dataclasses import replace

import numpy as np
import pytest

from arr_coc.calibrate.fitting import calibrate
from arr_coc.errors import ConfigError
from arr_coc.published import PublishedHeads
from tests.arr_coc.calibrate.planted import GOOD, PROFILE, SINK_HEAD, sights

PUBLISHED = PublishedHeads("Some-VL", (GOOD, (3, 2)), (SINK_HEAD,))


def test_measured_heads_are_judged_on_other_scenes_beside_the_alternatives() -> None:
    result = calibrate(sights(), PROFILE)
    assert GOOD in result.heads
    assert result.fitted_on + result.judged_on == len(sights())
    ours, middle, alone = result.rows
    assert ours.found > max(middle.found, alone.found)
    assert set(ours.hits.values()) == {1.0}
    assert alone.hits == {}


def test_published_heads_are_taken_and_judged() -> None:
    taken = calibrate(sights(), PROFILE, PUBLISHED)
    assert (taken.heads, taken.sinks) == (PUBLISHED.localising, PUBLISHED.sinks)
    assert "2:1 3:2" in taken.rows[0].name
    assert "1:2" in taken.rows[0].name


def test_no_heads_are_listed_where_the_middle_layers_find_more() -> None:
    """Each question has a head of its own here, so that no few of them serve all."""
    rng, mixed = np.random.default_rng(1), []
    for sight in sights(16):
        maps = np.ones(sight.asked.shape, np.float16)
        maps[rng.integers(2, 4), rng.integers(3)] = 0.1 + 50 * sight.inside
        mixed.append(replace(sight, asked=maps, generic=np.full_like(sight.generic, 1 / sight.inside.size)))
    result = calibrate(mixed, PROFILE)
    assert result.heads == ()
    assert len(result.rows) == 2


def test_three_scenes_are_too_few() -> None:
    with pytest.raises(ConfigError, match="--scenes"):
        calibrate(sights(3), PROFILE)
