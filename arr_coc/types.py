"""The vocabulary: what travels between the stages.

Plain frozen dataclasses over numpy, so that they pickle cheaply between processes. Pixels of the
*upright* picture (after EXIF rotation) are the one coordinate system of every box.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Route = Literal["direct", "zoom", "text"]
Role = Literal["system", "user", "assistant"]
Detail = Literal["low", "auto", "high"]
FinishReason = Literal["stop", "length"]
Coupling = Literal["heads", "layers", "none"]
"""What tells where a question points: listed heads, all heads of the middle layers, or nothing."""
Limit = Literal["tokens", "patches", "worth", "certain", "whole"]
"""What kept an offer from being taken: the token budget, the number of patches, that it is not worth its
tokens, that the overview alone gave a certain answer, or that the question is about the whole picture."""
Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Box:
    """A half-open rectangle in pixels of the upright picture."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        return self.width * self.height

    def as_tuple(self) -> tuple[float, float, float, float]:
        return (self.x0, self.y0, self.x1, self.y1)


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells of one view, ``rows x cols``, each a visual token; but where a model sums the whole view
    up in a number of ``queries``, those are its visual tokens, and have no places."""

    rows: int
    cols: int
    queries: int | None = None

    @property
    def cells(self) -> int:
        return self.rows * self.cols

    @property
    def tokens(self) -> int:
        """What the view costs."""
        return self.cells if self.queries is None else self.queries

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows, self.cols


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an answer is decoded. ``temperature == 0`` is greedy; ``seed`` makes sampling repeatable.
    The answer ends before the first of the ``stop`` strings, none of them empty. ``top_logprobs`` is how
    many of the likeliest tokens are told beside each token of the answer; None tells no probabilities."""

    max_new_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    ignore_eos: bool = False
    stop: tuple[str, ...] = ()
    top_logprobs: int | None = None


class Mark(Enum):
    """What stands in a message in the place of something that is not text."""

    PICTURE = "picture"


PICTURE: Final = Mark.PICTURE


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation: its texts and pictures in the order they are shown."""

    role: Role
    parts: tuple[str | Mark, ...]

    @property
    def text(self) -> str:
        """Its texts, joined as a chat template joins them."""
        return "".join(part for part in self.parts if isinstance(part, str))


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
class Ask:
    """One question, as every stage sees it; pictures travel beside it, in the order they are shown.

    ``query`` is asked about one picture shown before it, unless ``messages`` gives the whole
    conversation, whose last message ``query`` then is the text of.
    ``visual_token_budget`` is the total of visual tokens that may be encoded, overviews included;
    None leaves it to ``detail``: ``auto`` is the model's default for the picture's size.
    ``remaining_s`` is the time left until the request's deadline, in seconds, when the ask is
    handed over (clocks do not travel). ``tenant`` is who asks: a label, never a key; "" where
    nobody is told apart. ``backlog`` is what it will have to wait for. ``trace_headers`` are the W3C trace
    context's; the library only passes them on. ``model`` is the one that shall answer; "" is the default one.
    """

    request_id: str
    query: str
    sampling: Sampling = Sampling()
    visual_token_budget: int | None = None
    remaining_s: float = 60.0
    detail: Detail = "auto"
    messages: tuple[Message, ...] = ()
    trace_headers: Mapping[str, str] = field(default_factory=dict)
    tenant: str = ""
    model: str = ""
    backlog: Backlog = Backlog()

    @property
    def conversation(self) -> tuple[Message, ...]:
        """All that is said and shown, the question last."""
        return self.messages or (Message("user", (PICTURE, self.query.strip())),)

    @property
    def pictures(self) -> int:
        """How many pictures are shown."""
        return sum(message.parts.count(PICTURE) for message in self.conversation)


@dataclass(frozen=True, slots=True)
class TexturedPicture:
    """What the texture stage makes of a picture.

    ``view`` is the first thing the model looks at: the native picture (route ``direct``) or the
    overview (route ``zoom``), already at ``grid``. All maps lie on that grid.
    """

    width: int  # upright pixels
    height: int
    route: Route
    budget: int  # visual tokens in all, the view included
    grid: Grid
    view: Pixels  # [rows * side, cols * side, 3]
    channels: Floats  # [13, rows, cols]
    lost_detail: Floats  # [rows, cols], 0..1
    source: Pixels | None  # [height, width, 3], zoom only: what patches are cut from
    native_tokens: int  # what the native grid would cost
    texture_ms: float  # time spent in the stage
    digest: bytes  # what the view is known by: the same for the same pixels
    auto: bool = False  # whether spending may stop short of the budget, which then was nobody's wish


@dataclass(frozen=True, slots=True)
class Scores:
    """A patch by the three ways of knowing, each the mean over its cells, 0..1, and their balance."""

    propositional: float
    perspectival: float
    participatory: float
    relevance: float


@dataclass(frozen=True, slots=True)
class Patch:
    """A part of the picture that is looked at again, at its own level of detail.

    One that is all of the picture takes the overview's place in the prompt: seen twice, things would count
    twice.
    """

    box: Box
    grid: Grid
    scores: Scores
    value: float  # modelled worth of encoding it, in shares of the picture's relevance

    @property
    def tokens(self) -> int:
        return self.grid.tokens


@dataclass(frozen=True, slots=True)
class Candidate:
    """A part of the picture that could have been looked at again, and what stood against it."""

    box: Box
    grid: Grid
    value: float  # as a patch's
    limit: Limit

    @property
    def tokens(self) -> int:
        return self.grid.tokens


@dataclass(frozen=True, slots=True)
class Balance:
    """Weights of the three ways of knowing; they sum to one."""

    propositional: float
    perspectival: float
    participatory: float


@dataclass(frozen=True, slots=True)
class Allocation:
    """Where the tokens of one request go, and why."""

    patches: tuple[Patch, ...]  # of the last look, best first, then of those before it; maybe none
    balance: Balance
    relevance: Floats  # [rows, cols] balanced score of every overview cell, 0..1
    knowing: Floats  # [3, rows, cols] propositional, perspectival, participatory
    coupling: Coupling = "none"  # where participatory knowing comes from
    budget: int = 0  # visual tokens that patches could take
    best_left: Candidate | None = None  # of the places that no patch was taken of


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
    backlog: Backlog = Backlog()
    replicas: int = 1  # ready engines that this tells of
