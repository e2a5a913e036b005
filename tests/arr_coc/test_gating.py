"""When the overview was enough, over the tokenizer of the tiny models: one token a character."""

import pytest

from arr_coc.gating import Gatekeeper
from arr_coc.profile import Gate
from tests.arr_coc import tiny

TOKENIZER = tiny.tokenizer().backend_tokenizer


def token(letter: str) -> int:
    found: int = TOKENIZER.token_to_id(letter)
    return found


@pytest.mark.parametrize(("probability", "certain"), [(0.94, False), (0.95, True), (1.0, True)])
def test_a_probable_first_token_is_certain(probability: float, certain: bool) -> None:
    assert Gatekeeper(Gate(certain=0.95), TOKENIZER).certain(token("a"), probability) is certain


def test_a_doubt_is_never_certain() -> None:
    keeper = Gatekeeper(Gate(certain=0.5, doubts=("unreadable", "?", " ")), TOKENIZER)
    assert not keeper.certain(token("u"), 1.0)
    assert not keeper.certain(token("?"), 1.0)
    assert keeper.certain(token("n"), 1.0)


def test_without_a_gate_nothing_is_certain() -> None:
    assert not Gatekeeper(None, TOKENIZER).certain(token("a"), 1.0)


@pytest.mark.parametrize(
    ("attention", "points"), [(0.79, False), (0.8, True), (1.0, True), (0.0, False), (None, True)]
)
def test_a_question_that_hardly_looks_at_the_overview_points_nowhere(
    attention: float | None, points: bool
) -> None:
    assert Gatekeeper(Gate(certain=0.9, pointing=0.8), TOKENIZER).points(attention) is points


def test_without_a_gate_every_question_points_somewhere() -> None:
    assert Gatekeeper(None, TOKENIZER).points(0.0)
