"""How fast a queue is worked off, as a number."""

import pytest

from arr_coc.engine.throughput import Throughput
from arr_coc.status import Backlog


def test_nothing_is_known_before_a_queue_was_worked_off() -> None:
    throughput = Throughput()
    throughput.cut(1.0, 100, left=False)
    throughput.cut(9.0, 100, left=True)  # an idle engine says nothing
    assert throughput.token_s == 0.0


def test_a_token_takes_what_tokens_took_while_others_waited() -> None:
    throughput = Throughput()
    for number in range(50):
        throughput.cut(2.0 * number, 100, left=True)
    assert throughput.token_s == pytest.approx(0.02)


def test_answers_are_averaged_from_the_first_on() -> None:
    throughput = Throughput()
    throughput.answered(4.0)
    assert throughput.answer_s == 4.0
    for _ in range(100):
        throughput.answered(2.0)
    assert throughput.answer_s == pytest.approx(2.0, rel=1e-3)


def test_a_new_request_waits_for_all_before_it_and_takes_its_own_time() -> None:
    backlog = Backlog(tokens=200, token_s=0.1, answer_s=3.0)
    assert backlog.seconds == pytest.approx(20.0)
    assert backlog.answered_s(50) == pytest.approx(28.0)
    assert Backlog(tokens=0, token_s=0.1, answer_s=3.0).answered_s(50) == 0.0
