"""What comes out of a request, piece by piece and as a whole. Plain frozen dataclasses, as in `types`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from arr_coc.types import Allocation, FinishReason, Grid, Route


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request. ``prompt_tokens`` counts the final prompt, visual tokens included;
    ``visual_tokens`` every visual token encoded, the overview once."""

    prompt_tokens: int
    completion_tokens: int
    visual_tokens: int


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token, and the natural logarithm of the probability that the model gave it.

    ``text`` is what it adds to the text before it, with bytes that are no whole character escaped. ``utf8``
    are its bytes, None of a control token: it adds nothing.
    """

    text: str
    utf8: bytes | None
    logprob: float


@dataclass(frozen=True, slots=True)
class TokenLogprobs:
    """A token of an answer, and the likeliest tokens in its place, best first.

    Probabilities are the model's own: before temperature and top-p, control tokens included.
    """

    taken: TokenLogprob
    likeliest: tuple[TokenLogprob, ...]


@dataclass(frozen=True, slots=True)
class Delta:
    """Text that became final since the last delta of a stream, and, where they were asked for, the
    probabilities of the tokens whose text begins in it."""

    text: str
    logprobs: tuple[TokenLogprobs, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """The end of a request: its whole answer and how it came about.

    ``width``, ``height`` and ``grid`` are the picture's where there was exactly one, else zero.
    ``logprobs`` are those of the whole answer, but for a stream, whose deltas have told them.
    """

    text: str
    finish_reason: FinishReason
    usage: Usage
    route: Route  # text: no picture; several pictures are each seen directly
    width: int
    height: int
    native_tokens: int  # of all pictures
    grid: Grid  # of the first view
    allocation: Allocation | None  # zoom only
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    logprobs: tuple[TokenLogprobs, ...] = ()
