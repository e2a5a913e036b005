"""The vocabulary: what travels between the stages.

Plain frozen dataclasses over numpy, so that they pickle cheaply between processes. Pixels of the
*upright* picture (after EXIF rotation) are the one coordinate system of every box.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from arr_coc.status import Backlog

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
    backlog: Backlog = field(default_factory=Backlog)

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
