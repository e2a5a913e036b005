"""Asks a model about scenes of which the truth is known, in every way that spending can be set.

Owns the scenes and the served engine that is asked. Knows nothing of what is made of the answers.
"""

import asyncio
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace

from arr_coc.answers import Report
from arr_coc.calibrate.spending import LOOKS, POINTING, Answer, Trial
from arr_coc.decoding import PictureLimits
from arr_coc.demo.grading import is_right
from arr_coc.demo.scenes import Question, questions, render, sample_scene
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.observer import Silent
from arr_coc.gating import Gatekeeper
from arr_coc.model.adapter import Adapter
from arr_coc.profile import Gate, ModelProfile
from arr_coc.relevance import Relevance
from arr_coc.texture import TextureEncoder
from arr_coc.types import Allocation, Ask, Floats, Sampling, TexturedPicture
from arr_coc.vlm import VisionLanguageModel
from arr_coc.whole import finer_grid

TEXT_ROOM = 512  # tokens of a slot for question and answer
MAX_NEW_TOKENS = 64


def scenes(first: int, count: int, size: int) -> Iterator[tuple[int, bytes, list[Question]]]:
    """Number, PNG and questions of ``count`` scenes: in turn of ``size`` pixels, of twice that, and of twice
    that with fine objects. Raises ConfigError where ``size`` is too small for a scene."""
    kinds = ((size, False), (2 * size, False), (2 * size, True))
    for number in range(count):
        side, fine = kinds[number % len(kinds)]
        scene = sample_scene(first + number, size=side, fine=fine)
        file = io.BytesIO()
        render(scene).save(file, format="PNG", compress_level=1)
        yield first + number, file.getvalue(), questions(scene, first + number)


class Trier:
    """One model, asked in any way."""

    def __init__(
        self, adapter: Adapter, profile: ModelProfile, prices: Sequence[float], surest: float
    ) -> None:
        """``prices`` are what a token may cost; no gate asks for more than a probability of ``surest``."""
        self._surest = surest
        self._encoder = TextureEncoder(profile, PictureLimits())
        self._keeper = _Keeper(profile.gate, adapter)
        self._allocator = _Remembering()
        self._relevance = {
            price: Relevance(profile.model_copy(update={"token_price": price})) for price in prices
        }
        config = EngineConfig(
            slots=1, max_length=min(profile.most_used + TEXT_ROOM, adapter.max_positions), window_ms=0.0
        )
        self._vlm = VisionLanguageModel(adapter, profile, config, Silent(), self._allocator, self._keeper)

    def close(self) -> None:
        """End the engine."""
        self._vlm.close()

    def trials(self, scene: int, image: bytes, asked: Sequence[Question]) -> list[Trial]:
        """One a question; none where the picture is seen natively."""
        picture = self._encoder.encode(image, None)
        return [] if picture.source is None else [self._trial(scene, picture, q) for q in asked]

    def _trial(self, scene: int, picture: TexturedPicture, question: Question) -> Trial:
        first = next(iter(self._relevance))
        overview = self._ask(picture, question, first, points=True, certain=True)[-1]
        keeper = self._keeper
        trial = Trial(
            scene, replace(overview, doubt=keeper.doubt), keeper.probability, keeper.share, None, {}
        )
        if trial.share is not None and trial.share < max(POINTING) and finer_grid(picture) is not None:
            whole = self._ask(picture, question, first, points=False, certain=False)[-1]
            trial = replace(trial, whole=whole)
        if trial.probability >= self._surest and not trial.overview.doubt:
            return replace(trial, looks=dict.fromkeys(self._relevance, ()))  # none comes to that
        looks = {p: self._ask(picture, question, p, points=True, certain=False) for p in self._relevance}
        return replace(trial, looks=looks)

    def _ask(
        self, picture: TexturedPicture, question: Question, price: float, *, points: bool, certain: bool
    ) -> tuple[Answer, ...]:
        """What was answered after each look; a doubt is taken to be no right answer."""
        self._keeper.force(points=points, certain=certain)
        self._allocator.begin(self._relevance[price])
        ask = Ask("calibrate", question.text, Sampling(max_new_tokens=MAX_NEW_TOKENS), remaining_s=600.0)
        report: Report = asyncio.run(self._vlm.answer(ask, picture))
        tokens = report.usage.visual_tokens
        looks = [] if certain or not points else self._allocator.spent
        spent = [picture.grid.tokens + sum(looks[:n]) for n in range(1, len(looks))]
        last = Answer(is_right(report.text, question.answer), tokens)
        return (*(Answer(False, before, doubt=True) for before in spent), last)


class _Keeper(Gatekeeper):
    """Decides as it is told, but for doubts, and remembers what a probe found."""

    def __init__(self, gate: Gate | None, adapter: Adapter) -> None:
        super().__init__(gate, adapter.tokenizer)
        self.looks = max(LOOKS)
        self.share: float | None = None
        self.probability = 0.0
        self.doubt = False
        self._points = self._certain = True

    def force(self, *, points: bool, certain: bool) -> None:
        """What to decide from now on; nothing has been found yet."""
        self._points, self._certain = points, certain
        self.share, self.probability, self.doubt = None, 0.0, False

    def points(self, attention: float | None) -> bool:
        self.share = attention
        return self._points

    def certain(self, token: int, probability: float) -> bool:
        self.probability, self.doubt = probability, self.doubtful(token)
        return self._certain


class _Remembering:
    """Allocates as it is told, and remembers what each look cost."""

    def __init__(self) -> None:
        self._relevance: Relevance | None = None
        self.spent: list[int] = []

    def begin(self, relevance: Relevance) -> None:
        """Another question, allocated by ``relevance``."""
        self._relevance, self.spent = relevance, []

    def allocate(self, picture: TexturedPicture, attention: Floats | None) -> Allocation:
        assert self._relevance is not None
        allocation = self._relevance.allocate(picture, attention)
        if allocation.patches:
            self.spent.append(sum(patch.tokens for patch in allocation.patches))
        return allocation
