"""A sequence: one request while it is in the engine.

Owns its state and its times. Does not know how it is scheduled or run.
"""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from arr_coc.engine.costs import Costs
from arr_coc.engine.detokenizer import Detokenizer
from arr_coc.engine.outcome import Outcome
from arr_coc.model.adapter import Features, Prompt
from arr_coc.types import Sampling


@dataclass(frozen=True, slots=True)
class Stage:
    """What a sequence goes on with after a probe: the answer prompt, or one that probes again."""

    prompt: Prompt
    resume: "Resume | None" = None


@dataclass(frozen=True, slots=True)
class Probe:
    """What a probe found."""

    attention: NDArray[np.float32]  # [heads, tokens] of the listed heads to the first picture
    token: int  # what an answer to the probe's own prompt would most likely begin with
    probability: float  # of that token


Resume = Callable[[Probe], Stage | None]


@dataclass(frozen=True, slots=True)
class Prefix:
    """What a prompt shares with others about the same picture: its first ``length`` tokens."""

    key: bytes
    length: int
    kept: Container[bytes]  # keys of the prefixes that need not be computed now


class Phase(Enum):
    """Where a sequence stands; it only ever moves down."""

    WAITING = "waiting"  # queued, holds no slot
    PREFILLING = "prefilling"  # its slot holds the beginning of a prompt whose rest is to be prefilled
    RUNNING = "running"  # decodes
    FINISHED = "finished"  # left; its slot is free


@dataclass(slots=True)
class Times:
    """Moments of a sequence, in seconds of one monotonic clock."""

    submitted: float
    admitted: float = 0.0
    probed: float = 0.0
    resumed: float = 0.0
    first_token: float = 0.0

    def milliseconds(self, now: float) -> dict[str, float]:
        """Time spent in each stage until ``now``; stages not reached are left out."""
        stages = {"total": now - self.submitted, "queue": (self.admitted or now) - self.submitted}
        if self.resumed:
            stages["probe"] = self.probed - self.admitted
            stages["relevance"] = self.resumed - self.probed
        if self.first_token:
            stages["prefill"] = self.first_token - (self.resumed or self.admitted)
            stages["first_token"] = self.first_token - self.submitted
            stages["decode"] = now - self.first_token
        return {stage: round(1e3 * seconds, 3) for stage, seconds in stages.items()}


@dataclass(slots=True, eq=False)
class Sequence:
    """A request's state between steps. Compared by identity.

    ``resume`` makes the first prompt a *probe*: it then gets what the probe found and returns the next
    stage, or None where the probe's own prompt is to be answered. The next prompt shares its tokens with
    the probe's up to the end of the first picture, or shows that picture in another view.
    """

    id: str
    prompt: Prompt
    sampling: Sampling
    deadline: float  # seconds on the engine's clock
    outcome: Outcome
    detokenizer: Detokenizer
    times: Times
    trace_headers: Mapping[str, str] = field(default_factory=dict)
    tenant: str = ""
    resume: Resume | None = None
    prefix: Prefix | None = None  # None where nothing is shared
    phase: Phase = Phase.WAITING
    slot: int = -1
    length: int = 0  # tokens in the slot
    looking_at: Features | None = None  # the picture of which the slot holds only the first tokens
    dropped: int = 0  # visual tokens that were prefilled and cut off again
    output: list[int] = field(default_factory=list)

    @property
    def known(self) -> int:
        """Prompt tokens that need not be computed: those in its slot; before it has one, a kept prefix."""
        if self.slot < 0 and self.prefix is not None and self.prefix.key in self.prefix.kept:
            return self.prefix.length
        return self.length

    @property
    def pending(self) -> int:
        """Prompt tokens that are still to be computed."""
        return len(self.prompt) - self.known

    def next_part(self, most: int | None) -> int:
        """Prompt tokens that its next prefill computes where it takes at most ``most``."""
        return self.pending if most is None else min(self.pending, most)

    @property
    def computes(self) -> bytes | None:
        """Key of the prefix that its next prefill computes and others may share; None where none."""
        return None if self.prefix is None or self.known >= self.prefix.length else self.prefix.key

    @property
    def streamed(self) -> bool:
        """Whether its tokens are read as they come."""
        return self.outcome.streamed

    def visual(self, tokens: int) -> int:
        """Visual tokens of the pictures that the next ``tokens`` begin."""
        end = self.known + tokens
        return sum(length for start, length in self.prompt.spans if self.known <= start < end)

    def least_s(self, costs: Costs) -> float:
        """Seconds that it still takes at least: a prefill of what is pending of its prompt."""
        return costs.prefill_s(self.pending, self.visual(self.pending)) if self.pending > 0 else 0.0

    @property
    def probing(self) -> bool:
        """Whether the next prefill is a probe."""
        return self.resume is not None

    @property
    def position(self) -> int:
        """Rotary position of the last output token."""
        return self.prompt.next_position + len(self.output) - 1

    def cut_back(self, prompt: Prompt) -> None:
        """Go on with ``prompt``, and keep the first picture in the slot where both see it in the same view."""
        same = prompt.spans[0] == self.prompt.spans[0]
        keep = self.prompt.prefix_length if same else 0
        self.dropped += self.prompt.visual_tokens - (self.prompt.spans[0][1] if same else 0)
        assert np.array_equal(prompt.token_ids[:keep], self.prompt.token_ids[:keep])
        if not same:
            self.prefix = None  # what the slot will hold is not what the prefix is known by
        self.prompt, self.length, self.phase = prompt, keep, Phase.PREFILLING
