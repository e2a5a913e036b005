"""How sure is sure, and how little is too little: the gate and the price of a token.

Owns what a request would have been answered with, and for how many tokens, under any settings, and which
settings are taken. Pure arithmetic over trials: knows no model.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from arr_coc.profile import Gate, ModelProfile

CERTAIN = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
PRICES = (0.0, 0.0005, 0.001, 0.002)
LOOKS = (1, 2, 3, 4)
POINTING = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9)
A_POINT = 0.05  # a hundredth of the answers is worth a fifth more tokens


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of seeing a picture in one way. ``tokens`` are all visual ones until then."""

    right: bool
    tokens: int
    doubt: bool = False  # whether it asks for another look by itself


@dataclass(frozen=True, slots=True)
class Trial:
    """One question, answered in every way that settings can choose."""

    scene: int
    overview: Answer
    probability: float  # of the first token of the overview's answer
    share: float | None  # of the localising heads' attention that the overview draws; None: nobody knows
    whole: Answer | None  # from a finer view of all; None where there is none
    looks: Mapping[float, tuple[Answer, ...]]  # by the price of a token: after each look at patches


@dataclass(frozen=True, slots=True)
class Spending:
    """The settings. ``certain`` above 1 is no gate."""

    certain: float
    token_price: float
    looks: int
    pointing: float

    @classmethod
    def of(cls, profile: ModelProfile) -> "Spending":
        """Those of ``profile``."""
        gate = profile.gate
        if gate is None:
            return cls(certain=2.0, token_price=profile.token_price, looks=1, pointing=0.0)
        return cls(gate.certain, profile.token_price, gate.looks, gate.pointing)

    def gate(self, doubts: tuple[str, ...]) -> Gate | None:
        """As ``arr_coc.json`` has it."""
        if self.certain > 1:
            return None
        return Gate(certain=self.certain, doubts=doubts, looks=self.looks, pointing=self.pointing)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What settings bring over trials."""

    right: float  # share of answers
    tokens: float  # mean

    @property
    def worth(self) -> float:
        """Right answers set against what they cost."""
        return self.right - A_POINT * math.log(self.tokens)


def given(trial: Trial, spending: Spending) -> Answer:
    """The answer that is given to ``trial`` under ``spending``, as ``arr_coc.zooming`` gives it."""
    about_the_whole = trial.share is not None and trial.share < spending.pointing
    if about_the_whole and trial.whole is not None:
        return trial.whole
    if trial.probability >= spending.certain and not trial.overview.doubt:
        return trial.overview
    looks = trial.looks[spending.token_price][: spending.looks]
    sure = [look for look in looks if not look.doubt]
    return (*sure, *looks[-1:], trial.overview)[0]


def outcome(trials: Sequence[Trial], spending: Spending) -> Outcome:
    """The mean over ``trials``, of which there is at least one."""
    answers = [given(trial, spending) for trial in trials]
    return Outcome(
        sum(answer.right for answer in answers) / len(answers),
        sum(answer.tokens for answer in answers) / len(answers),
    )


def fit_spending(halves: Sequence[Sequence[Trial]], current: Spending) -> Spending:
    """The settings that fall least short of the best ones of each of the ``halves``, in the half where they fall
    shortest: what only luck finds in one half does not count. None that are worth less than ``current`` in
    either are taken.
    """
    tried = [current, *_settings(current.token_price)]
    worth = np.array([[outcome(half, spending).worth for spending in tried] for half in halves]).round(9)
    short = (worth.max(axis=1, keepdims=True) - worth).max(axis=0)
    worse = (worth < worth[:, :1]).any(axis=0)
    return tried[int(np.where(worse, np.inf, short).argmin())]


def prices(current: float) -> list[float]:
    """What a token may cost: what it does, and what it could."""
    return sorted({current, *PRICES})


def _settings(current_price: float) -> list[Spending]:
    return [Spending(*chosen) for chosen in product(CERTAIN, prices(current_price), LOOKS, POINTING)]
