"""How long requests wait for company."""

import pytest

from arr_coc.engine.costs import Costs
from arr_coc.engine.window import Window

FIXED = 0.01  # seconds of a prefill whatever is in it


def _costs() -> Costs:
    costs = Costs()
    for rows in (1, 2, 4) * 10:
        costs.prefilled(100 * rows, 64 * rows, FIXED + 1e-4 * rows)
    return costs


def _after(gaps: list[float], seconds: float = 0.02, *, adaptive: bool = True) -> tuple[Window, float]:
    window, now = Window(seconds, _costs(), adaptive=adaptive), 0.0
    window.arrived(now)
    for gap in gaps:
        now += gap
        window.arrived(now)
    return window, now


@pytest.mark.parametrize("adaptive", [True, False])
@pytest.mark.parametrize("gaps", [[], [0.5, 0.5]])
def test_a_lone_request_and_rare_ones_are_not_kept_waiting(gaps: list[float], adaptive: bool) -> None:
    window, now = _after(gaps, adaptive=adaptive)
    assert window.remaining(now, now, 1, 0) == 0.0


def test_a_window_of_zero_cuts_at_once() -> None:
    window, now = _after([0.0001] * 5, seconds=0.0)
    assert window.remaining(now, now, 1, 0) == 0.0


def test_it_waits_while_a_gap_is_shorter_than_what_another_prefill_costs() -> None:
    frequent, now = _after([FIXED / 2] * 9)
    assert 0.0 < frequent.remaining(now, now, 1, 0) <= FIXED
    rare, now = _after([FIXED * 2] * 9)
    assert rare.remaining(now, now, 1, 0) == 0.0


def test_more_who_decode_are_interrupted_less_often() -> None:
    window, now = _after([FIXED * 2] * 9)
    assert window.remaining(now, now, 1, 8) > 0.0
    assert window.remaining(now, now, 30, 8) == 0.0


def test_nobody_waits_beyond_the_window_nor_for_arrivals_that_have_ceased() -> None:
    window, now = _after([FIXED / 10] * 9)
    assert window.remaining(now, now - 0.02, 1, 8) == 0.0
    assert window.remaining(now + FIXED * 1.5, now, 1, 0) == 0.0


def test_a_fixed_window_is_waited_for_to_its_end() -> None:
    window, now = _after([0.002] * 5, adaptive=False)
    assert window.remaining(now, now - 0.005, 1, 0) == pytest.approx(0.015)
    assert window.remaining(now, now - 0.02, 1, 0) == 0.0
    window.cut(now)
    assert window.remaining(now + 0.005, now, 1, 3) == pytest.approx(0.015)
