"""What a generation stage tells of itself: whether it takes requests, what they would have to wait for, and how
far a model is on its way.

Plain frozen dataclasses, as in `types`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for the engine, and how fast it is worked off."""

    tokens: int = 0  # to be computed for those who wait for a slot
    token_s: float = 0.0  # seconds that each of them takes, as measured; 0 while nothing was
    answer_s: float = 0.0  # from a slot to the end of an answer, on average

    @property
    def seconds(self) -> float:
        """Until all who wait have a slot."""
        return self.tokens * self.token_s

    def answered_s(self, tokens: int) -> float:
        """Seconds until a new request of so many ``tokens`` will be answered; 0 where none would wait."""
        return (self.tokens + tokens) * self.token_s + self.answer_s if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class VisualTokens:
    """What a model takes: the range in which a request's visual-token budget makes a difference, and a
    cell's side in pixels."""

    smallest_budget: int
    largest_budget: int
    side: int


StartPhase = Literal["imports", "download", "weights", "warm-up"]
"""What is done before a model can answer, in this order."""
Tell = Callable[[StartPhase, int], None]
"""Told that a phase of loading begins, and of how many bytes: 0 where it is not about bytes."""


@dataclass(frozen=True, slots=True)
class Loading:
    """How far the weights of a model are on their way: to this machine, or from there into memory."""

    bytes_done: int
    bytes_total: int
    seconds_left: float  # at the mean speed so far


ModelState = Literal["absent", "loading", "loaded"]


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """A snapshot for health checks and admission.

    Where several models are served, ``model`` and what follows from it are the default one's, and loads
    are those of all. ``loading`` may be told beside ``ready``: a model that is loaded when it is asked for.
    """

    ready: bool
    detail: str  # why not ready, or "ok"
    model: str
    device: str
    dtype: str
    running: int  # sequences holding a slot
    waiting: int  # sequences queued for one
    slots: int
    last_step_age_s: float  # seconds since the engine last made progress while it had work
    visual_tokens: VisualTokens | None = None  # None until the model is loaded
    loading: Loading | None = None  # while the weights of one are on their way
    phase: StartPhase | None = None  # of the model that is being loaded
    models: Mapping[str, ModelState] = field(
        default_factory=dict
    )  # all that are served, the default one first
    backlog: Backlog = field(default_factory=Backlog)
    replicas: int = 1  # ready engines that this tells of
