import itertools
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from load_tests.bench.loads import Load, arrivals

RATES = st.floats(0.1, 40)


@pytest.mark.parametrize(
    "name", ["closed-1", "closed-64", "own-0.8", "own-3", "abs-20", "batch-128", "own-0.8-stream"]
)
def test_a_load_is_called_as_it_is_read(name: str) -> None:
    assert Load.parse(name).name == name


def test_spellings_of_one_load_have_one_name() -> None:
    assert Load.parse("own-3.0").name == "own-3"


@pytest.mark.parametrize(
    "name", ["", "closed", "closed-0", "closed-1.5", "batch-0.5", "open-3", "own--1", "own-0", "x closed-1"]
)
def test_what_is_no_load_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no load"):
        Load.parse(name)


def test_rates_are_shares_of_a_capacity_or_the_same_for_all() -> None:
    assert Load.parse("own-0.5").rate(40.0) == 20.0
    assert Load.parse("abs-7").rate(40.0) == 7.0
    assert Load.parse("closed-32").rate(40.0) == 0.0


@given(rate=RATES, seed=st.text(max_size=8))
def test_the_same_seed_gives_the_same_arrivals(rate: float, seed: str) -> None:
    assert list(arrivals(rate, 5.0, seed)) == list(arrivals(rate, 5.0, seed))


@given(rate=RATES, seconds=st.floats(0, 20), seed=st.text(max_size=8))
def test_arrivals_come_one_after_the_other_within_the_time(rate: float, seconds: float, seed: str) -> None:
    times = list(arrivals(rate, seconds, seed))
    assert all(0 < early < late for early, late in itertools.pairwise(times))
    assert all(time < seconds for time in times)


@given(rate=RATES, seed=st.text(max_size=8))
def test_a_higher_rate_has_the_same_gaps_in_its_own_unit(rate: float, seed: str) -> None:
    slow = list(arrivals(rate, 10.0, seed))
    fast = list(arrivals(2 * rate, 5.0, seed))
    assert fast == pytest.approx([time / 2 for time in slow], rel=1e-9)


def test_gaps_are_those_of_a_poisson_process() -> None:
    times = list(arrivals(50.0, 200.0, "long"))
    gaps = [late - early for early, late in itertools.pairwise(times)]
    assert len(times) == pytest.approx(10_000, rel=0.03)
    assert statistics.stdev(gaps) == pytest.approx(statistics.mean(gaps), rel=0.05)
