"""Settings over trials that are made up, so that what is best is known."""

import random
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given as holds
from hypothesis import settings as quickly
from hypothesis import strategies as st

from arr_coc.calibrate.spending import (
    CERTAIN,
    LOOKS,
    POINTING,
    PRICES,
    Answer,
    Spending,
    Trial,
    fit_spending,
    given,
    outcome,
)
from arr_coc.profile import Gate, ModelProfile

HAND_SET = Spending(certain=0.9, token_price=0.001, looks=3, pointing=0.0)
OVERVIEW, WHOLE = Answer(False, 144), Answer(True, 468)
DOUBT, FOUND = Answer(False, 208, doubt=True), Answer(True, 272)
TRIAL = Trial(
    scene=0,
    overview=OVERVIEW,
    probability=0.6,
    share=0.95,
    whole=WHOLE,
    looks=dict.fromkeys(PRICES, (DOUBT, FOUND)),
)
any_settings = st.builds(
    Spending,
    st.sampled_from(CERTAIN),
    st.sampled_from(PRICES),
    st.sampled_from(LOOKS),
    st.sampled_from(POINTING),
)


@pytest.mark.parametrize(
    ("trial", "spending", "answer"),
    [
        (TRIAL, HAND_SET, FOUND),
        (TRIAL, replace(HAND_SET, looks=1), DOUBT),
        (TRIAL, replace(HAND_SET, certain=0.5), OVERVIEW),
        (replace(TRIAL, overview=replace(OVERVIEW, doubt=True)), replace(HAND_SET, certain=0.5), FOUND),
        (replace(TRIAL, share=0.1), HAND_SET, FOUND),
        (replace(TRIAL, share=0.1), replace(HAND_SET, pointing=0.8), WHOLE),
        (replace(TRIAL, share=0.1, whole=None), replace(HAND_SET, pointing=0.8), FOUND),
        (replace(TRIAL, share=None), replace(HAND_SET, pointing=0.8), FOUND),
        (replace(TRIAL, looks=dict.fromkeys(PRICES, ())), HAND_SET, OVERVIEW),
    ],
)
def test_the_answer_follows_the_settings(trial: Trial, spending: Spending, answer: Answer) -> None:
    assert given(trial, spending) == answer


@st.composite
def trials(draw: st.DrawFn) -> list[Trial]:
    rng = random.Random(draw(st.integers(0, 2**32 - 1)))

    def answer(tokens: int, doubt: bool = False) -> Answer:
        return Answer(not doubt and rng.random() < 0.7, tokens, doubt)

    def looks() -> tuple[Answer, ...]:
        doubts = [answer(208 + 64 * n, doubt=True) for n in range(rng.randrange(3))]
        return (*doubts, answer(208 + 64 * len(doubts)))

    return [
        Trial(
            scene=number,
            overview=answer(144, rng.random() < 0.2),
            probability=rng.random(),
            share=rng.choice([None, rng.random()]),
            whole=rng.choice([None, answer(468)]),
            looks={price: looks() for price in PRICES},
        )
        for number in range(draw(st.integers(1, 40)))
    ]


@quickly(deadline=None, max_examples=30)
@holds(trials(), any_settings)
def test_what_was_set_by_hand_is_made_worse_in_neither_half(made: list[Trial], current: Spending) -> None:
    halves = [made[::2], made[1::2] or made]
    chosen = fit_spending(halves, current)
    assert all(outcome(half, chosen).worth >= outcome(half, current).worth for half in halves)
    assert chosen == fit_spending(halves, current)


@quickly(deadline=None, max_examples=30)
@holds(trials(), any_settings)
def test_no_settings_fall_less_short_of_the_best(made: list[Trial], other: Spending) -> None:
    halves = [made[::2], made[1::2] or made]
    every = [HAND_SET, *(Spending(*chosen) for chosen in product(CERTAIN, PRICES, LOOKS, POINTING))]
    best = [max(outcome(half, spending).worth for spending in every) for half in halves]

    def short(spending: Spending) -> float:
        return max(most - outcome(half, spending).worth for most, half in zip(best, halves, strict=True))

    chosen = fit_spending(halves, HAND_SET)
    if all(outcome(half, other).worth >= outcome(half, HAND_SET).worth for half in halves):
        assert short(chosen) <= short(other) + 1e-6


def test_a_right_answer_is_worth_tokens_and_none_are_wasted() -> None:
    assert outcome([TRIAL], HAND_SET).worth > outcome([TRIAL], replace(HAND_SET, looks=1)).worth
    wrong = replace(TRIAL, looks=dict.fromkeys(PRICES, (Answer(False, 208),)))
    assert outcome([wrong], HAND_SET).worth < outcome([wrong], replace(HAND_SET, certain=0.5)).worth


def test_questions_that_point_nowhere_are_told_apart() -> None:
    """Half point and find; the others are sure of a wrong answer from the overview, and right from all."""
    pointing = replace(TRIAL, looks=dict.fromkeys(PRICES, (Answer(True, 208),)), share=0.85)
    lost = replace(TRIAL, share=0.75, probability=0.999, looks=dict.fromkeys(PRICES, (OVERVIEW,)))
    chosen = fit_spending([[pointing, lost]] * 2, HAND_SET)
    assert chosen.pointing == 0.8
    assert outcome([pointing, lost], chosen).right == 1


def test_a_model_without_a_gate_has_none_before() -> None:
    bare = Spending.of(ModelProfile(token_price=0.5))
    assert given(replace(TRIAL, probability=1.0, looks={0.5: (FOUND,)}), bare) == FOUND
    assert bare.gate(()) is None
    gate = Gate(certain=0.9, doubts=("?",), looks=2, pointing=0.3)
    assert Spending.of(ModelProfile(gate=gate)).gate(("?",)) == gate
