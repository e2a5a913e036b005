"""When an idle accelerator waits for company."""

from arr_coc.engine.window import Window


def _after(gaps: list[float], seconds: float = 0.02) -> tuple[Window, float]:
    window, now = Window(seconds), 0.0
    window.arrived(now)
    for gap in gaps:
        now += gap
        window.arrived(now)
    return window, now


def test_a_lone_request_is_not_kept_waiting() -> None:
    window, now = _after([])
    assert window.remaining(now, oldest=now) == 0.0


def test_rare_arrivals_are_not_waited_for() -> None:
    window, now = _after([0.5, 0.5])
    assert window.remaining(now, oldest=now) == 0.0


def test_frequent_arrivals_are_waited_for_until_the_window_ends() -> None:
    window, now = _after([0.002] * 5)
    assert abs(window.remaining(now, oldest=now - 0.005) - 0.015) < 1e-9
    assert window.remaining(now, oldest=now - 0.02) == 0.0


def test_a_window_of_zero_cuts_at_once() -> None:
    window, now = _after([0.0001] * 5, seconds=0.0)
    assert window.remaining(now, oldest=now) == 0.0
