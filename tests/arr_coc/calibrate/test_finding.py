import numpy as np

from arr_coc.calibrate.finding import fit_weights, found
from arr_coc.calibrate.heads import mean_maps
from tests.arr_coc.calibrate.planted import GOOD, PROFILE, sights


def test_a_map_of_the_asked_object_finds_it() -> None:
    seen = sights()
    assert found(seen, mean_maps(seen, [GOOD]), PROFILE) > 0.9
    assert found(seen, [None] * len(seen), PROFILE) < 0.7


def test_weights_that_serve_stay() -> None:
    seen = sights()
    assert fit_weights(seen, mean_maps(seen, [GOOD]), PROFILE) == (PROFILE.least_asked, PROFILE.most_asked)


def test_a_question_that_points_astray_is_trusted_less() -> None:
    seen = sights()
    astray = [np.where(sight.empty, np.float32(1), np.float32(0)) for sight in seen]
    least, most = fit_weights(seen, astray, PROFILE)
    assert most < PROFILE.most_asked
    weighed = PROFILE.model_copy(update={"least_asked": least, "most_asked": most})
    assert found(seen, astray, weighed) > found(seen, astray, PROFILE)
