"""When an answer ends."""

from arr_coc.engine.stopping import finish_reason
from arr_coc.types import Sampling


def test_goes_on_until_eos() -> None:
    assert finish_reason([5, 6], Sampling(max_new_tokens=9), {2}, room=9) is None
    assert finish_reason([5, 2], Sampling(max_new_tokens=9), {2}, room=9) == "stop"


def test_eos_can_be_ignored() -> None:
    assert finish_reason([5, 2], Sampling(max_new_tokens=9, ignore_eos=True), {2}, room=9) is None


def test_ends_at_max_tokens_and_at_the_end_of_the_slot() -> None:
    assert finish_reason([5, 6], Sampling(max_new_tokens=2), {2}, room=9) == "length"
    assert finish_reason([5, 6], Sampling(max_new_tokens=9), {2}, room=0) == "length"


def test_eos_as_the_last_allowed_token_counts_as_a_stop() -> None:
    assert finish_reason([5, 2], Sampling(max_new_tokens=2), {2}, room=0) == "stop"
