"""The door, on a clock of its own."""

from contextlib import ExitStack
from functools import partial

import pytest

from arr_coc.errors import DeadlineExceeded, Overloaded
from arr_coc.status import Backlog
from serve_app.admission import AdmissionConfig, Door
from serve_app.errors import Draining, RateLimited


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def make_door(max_in_flight: int = 2, chance: float = 0.5) -> tuple[Door, Clock]:
    """A door on a clock that stands still."""
    clock = Clock()
    return Door(AdmissionConfig(max_in_flight=max_in_flight, deadline_s=10), clock, lambda: chance), clock


def test_places_are_taken_and_given_back_once() -> None:
    door, _ = make_door()
    turn = door.admit()
    with turn, door.admit():
        assert door.in_flight == 2
        with pytest.raises(Overloaded):
            door.admit()
        turn.__exit__(None, None, None)
        assert door.in_flight == 1
    assert door.in_flight == 0


@pytest.mark.parametrize(("within_s", "left_s"), [(3.0, 3.0), (30.0, 10.0), (None, 10.0)])
def test_a_client_can_only_shorten_its_time(within_s: float | None, left_s: float) -> None:
    door, _ = make_door()
    with door.admit(within_s=within_s) as turn:
        assert turn.remaining_s() == left_s


def test_who_waits_less_than_the_queue_takes_is_refused() -> None:
    door, _ = make_door()
    door.backlog = Backlog(tokens=100, token_s=0.05)
    with pytest.raises(Overloaded):
        door.admit(within_s=4)
    with door.admit(within_s=6):
        pass


def test_a_place_comes_back_after_an_error() -> None:
    door, _ = make_door()
    with pytest.raises(KeyError), door.admit():
        raise KeyError
    assert door.in_flight == 0


def test_time_runs_from_admission_and_is_shared_with_further_places() -> None:
    door, clock = make_door()
    with door.admit() as turn:
        clock.now += 4
        assert turn.remaining_s() == 6
        with turn.another() as other:
            assert other.remaining_s() == 6
            clock.now += 6
            assert other.left_s() == 0
            with pytest.raises(DeadlineExceeded):
                other.remaining_s()
            with pytest.raises(DeadlineExceeded):
                turn.remaining_s()


def test_a_closed_door_lets_nobody_in_and_those_inside_stay() -> None:
    door, _ = make_door()
    with door.admit() as turn:
        door.close()
        for attempt in (door.admit, turn.another):
            with pytest.raises(Draining):
                attempt()
        assert door.in_flight == 1


def test_tenants_share_the_places() -> None:
    door, _ = make_door(max_in_flight=4)
    with ExitStack() as inside:
        for _ in range(4):
            inside.enter_context(door.admit("flood"))
        for _ in range(2):
            inside.enter_context(door.admit("other"))
        for tenant in ("flood", "other"):
            with pytest.raises(Overloaded) as caught:
                door.admit(tenant)
            assert caught.value.code == "overloaded"
    assert door.in_flight == 0


def test_a_tenant_has_a_limit_of_its_own() -> None:
    config = AdmissionConfig(max_in_flight=4, max_in_flight_each=1)
    door = Door(config)
    with door.admit("a") as turn, door.admit("b"):
        for attempt in (partial(door.admit, "a"), turn.another):
            with pytest.raises(RateLimited):
                attempt()
    door.admit("a")


def test_a_tenant_may_ask_so_often() -> None:
    clock = Clock()
    door = Door(AdmissionConfig(per_minute_each=3), clock)
    for _ in range(3):
        door.admit("a")
    with pytest.raises(RateLimited) as caught:
        door.admit("a")
    assert caught.value.retry_after_s == pytest.approx(20)
    door.admit("b")
    clock.now += 20
    door.admit("a")
    with pytest.raises(RateLimited):
        door.admit("a")


def test_what_is_refused_for_another_reason_does_not_count_as_asked() -> None:
    clock = Clock()
    door = Door(AdmissionConfig(max_in_flight=1, per_minute_each=2), clock)
    with door.admit():
        for _ in range(5):
            with pytest.raises(Overloaded):
                door.admit()
    door.admit()


def refusal(door: Door) -> float:
    """What a refused request is told."""
    with pytest.raises(Overloaded) as caught:
        door.admit()
    return caught.value.retry_after_s


def backlog(seconds: float, answer_s: float = 0.0) -> Backlog:
    """Of four tokens, which take so long."""
    return Backlog(4, seconds / 4, answer_s)


def test_an_answer_takes_time_too_once_it_has_waited() -> None:
    door, _ = make_door()
    with door.admit():
        door.backlog = backlog(0.0, answer_s=20.0)  # nobody waits: it may be a short one
        door.admit()
    door, _ = make_door()
    with door.admit():
        door.backlog = backlog(8.0, answer_s=1.9)
        door.admit().__exit__(None, None, None)
        door.backlog = backlog(8.0, answer_s=2.1)
        assert refusal(door) == 8.0


def test_who_could_only_wait_is_refused_before_anything_is_read() -> None:
    door, _ = make_door()
    door.backlog = backlog(9.0)
    with door.admit():
        door.backlog = backlog(10.0)
        assert refusal(door) == 10.0
        assert door.in_flight == 1


def test_a_queue_of_others_is_no_reason_to_refuse_who_comes_before_them() -> None:
    door, _ = make_door(max_in_flight=8)
    with ExitStack() as held:
        for _ in range(4):
            held.enter_context(door.admit("flood"))
        door.backlog = backlog(10.0)
        held.enter_context(door.admit("other"))
        with pytest.raises(Overloaded):
            door.admit("flood")


def test_retry_after_is_what_the_engine_says_its_queue_takes() -> None:
    door, _ = make_door(max_in_flight=1)
    door.backlog = backlog(7.0)
    with door.admit():
        assert refusal(door) == 7.0


def test_retry_after_follows_how_long_requests_stay() -> None:
    door, clock = make_door(max_in_flight=1)
    for _ in range(200):
        with door.admit():
            clock.now += 8
    with door.admit():
        assert refusal(door) == pytest.approx(8, rel=0.01)


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 4), (1.0, 12)])
def test_retry_after_is_spread(chance: float, seconds: float) -> None:
    door, clock = make_door(max_in_flight=1, chance=chance)
    for _ in range(200):
        with door.admit():
            clock.now += 8
    with door.admit():
        assert refusal(door) == pytest.approx(seconds, rel=0.01)


@pytest.mark.parametrize(("stay_s", "seconds"), [(0.0, 1), (10_000.0, 60)])
def test_retry_after_stays_sensible(stay_s: float, seconds: float) -> None:
    door, clock = make_door(max_in_flight=1)
    for _ in range(100):
        with door.admit():
            clock.now += stay_s
    with door.admit():
        assert refusal(door) == seconds


async def test_waiting_for_the_last_to_leave() -> None:
    door, _ = make_door()
    assert await door.emptied(0)
    with door.admit():
        assert not await door.emptied(0)
    assert await door.emptied(0)
