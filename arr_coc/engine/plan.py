"""What the scheduler sees of a sequence, and what it says is to be run next."""

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Job(Protocol):
    """What the scheduler needs to know of a sequence."""

    @property
    def tenant(self) -> str:
        """Who asks."""

    @property
    def pending(self) -> int:
        """Tokens its next prompt still has to compute."""

    @property
    def probing(self) -> bool:
        """Whether its next prefill is a probe."""

    @property
    def computes(self) -> bytes | None:
        """What its next prefill computes that other jobs' need not compute again; None where nothing."""

    @property
    def streamed(self) -> bool:
        """Whether somebody reads its answer while it is written."""

    def visual(self, tokens: int) -> int:
        """Visual tokens that the vision tower looks at for its next ``tokens``."""


J = TypeVar("J", bound=Job)


@dataclass(frozen=True, slots=True)
class Prefill(Generic[J]):
    """Prefill these jobs in one forward, at most ``most`` tokens of each; those still waiting are given
    slots first."""

    jobs: list[J]
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Decode:
    """Decode one token of every running job."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing to run for ``seconds``, or until something arrives where None."""

    seconds: float | None
