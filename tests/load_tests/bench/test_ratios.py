import math

import pytest

from load_tests.bench.journal import Key
from load_tests.bench.outcome import Cell, Outcome
from load_tests.bench.ratios import Row, bars


def answering(rate: float, *, right: float = 1.0, first_s: float = 0.1) -> Cell:
    """100 answers at ``rate`` a second."""
    outcomes = tuple(
        Outcome(0.0, (index + 1) / rate, first_s, 200, 32, index < 100 * right) for index in range(100)
    )
    return Cell(outcomes, 6.0, 0.0, 0.01)


def arriving(per_s: int, *, seconds: float = 1.0, first_s: float = 0.1, status: int = 200) -> Cell:
    """Answers of an open cell, evenly spread over 8 seconds."""
    outcomes = tuple(Outcome(index / per_s, seconds, first_s, status, 32, True) for index in range(8 * per_s))
    return Cell(outcomes, 8.0, float(per_s), 0.01)


def row(book: dict[Key, Cell], what: str, against: str) -> Row:
    (found,) = [one for one in bars(book) if what in one.what and one.against == against]
    return found


def closed(peer: str, rates: list[float], mix: str = "unique") -> dict[Key, Cell]:
    return {Key(peer, mix, "closed-32", round_): answering(rate) for round_, rate in enumerate(rates)}


def test_ratios_are_of_each_round_and_then_their_median() -> None:
    book = closed("arr-coc", [40, 20, 30]) | closed("fastapi_lock", [10, 10, 5])
    found = row(book, "answers/s, 32 clients, unique", "fastapi_lock")
    assert found.rounds == pytest.approx((4.0, 2.0, 6.0))
    assert found.ratio == pytest.approx(4.0)
    assert found.verdict == "bar"


def test_a_round_that_one_of_them_lacks_is_left_out() -> None:
    book = closed("arr-coc", [40, 20, 30]) | closed("mosec", [10, 10])
    found = row(book, "answers/s", "mosec")
    assert found.rounds == pytest.approx((4.0, 2.0))
    assert found.verdict == "aim, of 2 rounds only"


def test_what_was_not_measured_has_no_row() -> None:
    assert bars({}) == []
    assert bars(closed("arr-coc", [40])) == []


@pytest.mark.parametrize(("ours", "verdict"), [(55.0, "aim"), (35.0, "bar"), (20.0, "missed")])
def test_a_verdict_tells_which_of_bar_and_aim_is_reached(ours: float, verdict: str) -> None:
    book = closed("arr-coc", [ours] * 3) | closed("transformers_serve", [10.0] * 3)
    assert row(book, "answers/s", "transformers_serve").verdict == verdict


def test_goodput_is_the_best_of_each_ones_open_loads() -> None:
    book = {
        Key("arr-coc", "lengths", "own-0.8", 0): arriving(20),
        Key("arr-coc", "lengths", "own-1", 0): arriving(40, seconds=9.0),  # too late
        Key("litserve", "lengths", "own-0.8", 0): arriving(5),
        Key("litserve", "lengths", "own-1", 0): arriving(10),
        Key("litserve", "lengths", "closed-32", 0): answering(1000),  # waits for answers, so is no goodput
    }
    assert row(book, "goodput", "litserve").ratio == pytest.approx(2.0, rel=0.05)


def test_large_pictures_count_right_answers_against_the_best_peer_of_each_round() -> None:
    def large(peer: str, cells: list[Cell]) -> dict[Key, Cell]:
        return {Key(peer, "large", "closed-32", round_): cell for round_, cell in enumerate(cells)}

    book = (
        large("arr-coc", [answering(20, right=0.9)] * 2)
        | large("vllm", [answering(10), answering(3)])
        | large("mosec", [answering(20, right=0.1), answering(6)])
    )
    assert row(book, "right answers/s", "best native").rounds == pytest.approx((1.8, 3.0))


def test_the_first_text_is_held_against_the_quickest_peer_and_less_is_better() -> None:
    load = "own-0.8-stream"
    book = {
        Key("arr-coc", "lengths", load, 0): arriving(10, first_s=0.2),
        Key("vllm", "lengths", load, 0): arriving(10, first_s=0.5),
        Key("mosec", "lengths", load, 0): arriving(10, first_s=0.8),
    }
    found = row(book, "first text", "best peer")
    assert found.ratio == pytest.approx(0.4)
    assert found.verdict.startswith("aim")


def test_overload_is_held_against_the_own_peak() -> None:
    book = {
        Key("arr-coc", "lengths", "own-1", 0): arriving(40),
        Key("arr-coc", "lengths", "own-3", 0): arriving(32),
    }
    assert row(book, "3x load", "its own peak").ratio == pytest.approx(0.8, rel=0.03)


def test_over_http_is_held_against_the_engine_and_staggered_against_one_batch() -> None:
    book = closed("arr-coc", [36.0]) | closed("engine", [40.0])
    book |= {
        Key("offline", "unique", "own-1.5", 0): answering(45.0),
        Key("offline", "unique", "batch-128", 0): answering(50.0),
    }
    assert row(book, "over HTTP", "engine").ratio == pytest.approx(0.9)
    assert row(book, "staggered", "offline batch").ratio == pytest.approx(0.9)


def test_a_peer_that_answers_nothing_is_infinitely_slower() -> None:
    lost = Cell((Outcome(0.0, 90.0, 90.0, 0, 0, False),), 6.0, 0.0, 0.0)
    book = closed("arr-coc", [40.0]) | {Key("mosec", "unique", "closed-32", 0): lost}
    assert row(book, "answers/s", "mosec").ratio == math.inf


def test_two_that_answer_nothing_are_not_held_against_each_other() -> None:
    nothing = Cell((), 6.0, 10.0, 0.0)
    book = {Key(peer, "lengths", "own-0.8-stream", 0): nothing for peer in ("arr-coc", "mosec")}
    assert bars(book) == []
