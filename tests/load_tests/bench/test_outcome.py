import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from load_tests.bench.outcome import LOST, Cell, Outcome, percentile

VALUES = st.lists(st.floats(0, 1e6), min_size=1, max_size=60)


def answered(sent_s: float, seconds: float, *, right: bool = True, status: int = 200) -> Outcome:
    return Outcome(sent_s, seconds, seconds / 2, status, 32, right)


def open_cell(*outcomes: Outcome, seconds: float = 8.0) -> Cell:
    return Cell(outcomes, seconds, offered=10.0, client_cpu=0.1)


def closed_cell(*outcomes: Outcome) -> Cell:
    return Cell(outcomes, 8.0, offered=0.0, client_cpu=0.1)


@given(values=VALUES, percent=st.integers(1, 100))
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(
    values: list[float], percent: int
) -> None:
    found = percentile(values, percent / 100)

    def share(limit: float) -> Fraction:
        return Fraction(sum(value <= limit for value in values), len(values))

    assert found in values
    assert share(found) >= Fraction(percent, 100) - Fraction(1, 10**9)
    smaller = [value for value in values if value < found]
    assert not smaller or share(max(smaller)) < Fraction(percent, 100)


def test_nothing_has_no_percentile() -> None:
    assert percentile([], 0.5) == math.inf


def test_a_rate_counts_from_the_first_request_to_the_last_answer() -> None:
    assert closed_cell(answered(1.0, 2.0), answered(2.0, 4.0)).rate() == pytest.approx(2 / 5)


def test_a_rate_counts_answers_only() -> None:
    cell = closed_cell(answered(0.0, 2.0), answered(0.0, 90.0, status=LOST), answered(0.0, 1.0, status=429))
    assert cell.rate() == pytest.approx(1 / 2)


def test_a_rate_of_right_answers_leaves_out_the_wrong_ones() -> None:
    cell = closed_cell(answered(0.0, 2.0), answered(0.0, 4.0, right=False))
    assert cell.rate(right_only=True) == pytest.approx(1 / 4)


def test_without_an_answer_the_rate_is_nothing() -> None:
    assert closed_cell(answered(0.0, 1.0, status=LOST)).rate() == 0.0
    assert closed_cell().rate() == 0.0


def test_goodput_leaves_out_who_asked_at_the_beginning() -> None:
    in_time = (answered(2.5, 1.0), answered(7.5, 1.0))
    early = answered(1.5, 1.0)
    assert open_cell(*in_time, early).goodput(2.0) == pytest.approx(2 / 6)


def test_goodput_leaves_out_what_took_too_long_and_what_was_refused() -> None:
    cell = open_cell(answered(2.0, 1.0), answered(2.0, 3.0), answered(2.0, 0.1, status=429))
    assert cell.goodput(2.0) == pytest.approx(1 / 6)


def test_goodput_of_clients_that_wait_is_the_share_of_their_rate_that_came_in_time() -> None:
    cell = closed_cell(answered(0.0, 1.0), answered(0.0, 4.0))
    assert cell.goodput(2.0) == pytest.approx(cell.rate() / 2)


@given(limit=st.floats(0.1, 10), more=st.floats(0, 10))
def test_more_time_never_makes_goodput_less(limit: float, more: float) -> None:
    cell = open_cell(*(answered(index / 4, index / 8) for index in range(40)), seconds=12.0)
    assert cell.goodput(limit + more) >= cell.goodput(limit)


def test_a_percentile_of_latency_counts_what_was_not_answered_as_for_ever() -> None:
    cell = open_cell(answered(3.0, 1.0), answered(3.0, 2.0), answered(3.0, 0.1, status=429))
    assert cell.latency(0.5) == 2.0
    assert cell.latency(0.99) == math.inf


def test_latencies_of_an_open_cell_leave_out_who_asked_at_the_beginning() -> None:
    assert open_cell(answered(0.1, 9.0), answered(3.0, 1.0)).latency(0.99) == 1.0
    assert closed_cell(answered(0.1, 9.0), answered(3.0, 1.0)).latency(0.99) == 9.0


def test_the_first_text_has_its_own_percentile() -> None:
    assert open_cell(answered(3.0, 1.0)).first_text(0.99) == 0.5


@given(
    sent=st.integers(0, 10**6), seconds=st.integers(0, 10**6), first=st.integers(0, 10**6),
    status=st.sampled_from([200, 429, LOST]), tokens=st.integers(0, 64), right=st.booleans(),
)  # fmt: skip
def test_an_outcome_is_kept_to_the_millisecond(
    sent: int, seconds: int, first: int, status: int, tokens: int, right: bool
) -> None:
    outcome = Outcome(sent / 1e3, seconds / 1e3, first / 1e3, status, tokens, right)
    assert Outcome.of(outcome.row()) == outcome
