"""Asks one question at a time in a given way, through the served engine.

Owns the one model that all ways share, and the pictures that were textured last. One request is in flight
at a time, so that its milliseconds are its own.
"""

from dataclasses import dataclass, replace

from tokenizers import Tokenizer

from arr_coc.answers import Report
from arr_coc.decoding import PictureLimits
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.observer import Silent
from arr_coc.gating import Gatekeeper
from arr_coc.model.adapter import Adapter
from arr_coc.profile import Gate, ModelProfile
from arr_coc.quality.exam import Item
from arr_coc.quality.oracle import Oracle
from arr_coc.quality.ways import Way, all_ways
from arr_coc.texture import TextureEncoder
from arr_coc.types import Allocation, Ask, Floats, Sampling, TexturedPicture
from arr_coc.vlm import VisionLanguageModel

TEXT_ROOM = 1024  # tokens of a slot for question and answer


@dataclass(frozen=True, slots=True)
class Look:
    """A picture as one way sees it first; the encoders of all ways share what they can."""

    picture: TexturedPicture
    way: Way


class Asker:
    """One model, asked in any way."""

    def __init__(self, adapter: Adapter, profile: ModelProfile) -> None:
        oracle = Oracle(profile.token_side)
        self.ways = all_ways(profile, oracle)
        self._oracle = oracle
        self._switch = _Switch(self.ways["auto"])
        self._encoders = {n: TextureEncoder(w.profile, PictureLimits()) for n, w in self.ways.items()}
        self._textured: dict[tuple[object, ...], TexturedPicture] = {}
        self._image = b""
        longest = max(profile.max_budget, profile.native_max_tokens) + TEXT_ROOM
        config = EngineConfig(slots=1, max_length=min(longest, adapter.max_positions), window_ms=0.0)
        self._keeper = _Keeper(profile.gate, adapter.tokenizer)
        self._vlm = VisionLanguageModel(adapter, profile, config, Silent(), self._switch, self._keeper)

    def look(self, way: str, image: bytes, budget: int | None) -> Look:
        """What ``way`` sees of ``image`` first. Textured once for all ways that begin alike."""
        if image != self._image:
            self._image = image
            self._textured.clear()
        closer = self.ways[way].closer
        plan = self._encoders[way].plan(image, budget, closer=closer)
        key = (plan.route, plan.grid, plan.patch_budget > 0)
        if key not in self._textured:
            self._textured[key] = self._encoders[way].encode(image, budget, closer=closer)
        picture = replace(self._textured[key], budget=plan.budget, auto=budget is None)
        return Look(picture, self.ways[way])

    async def ask(self, look: Look, item: Item, max_new_tokens: int) -> Report:
        """The answer to ``item``."""
        self._oracle.tell(item.targets)
        self._switch.way = look.way
        self._keeper.serve(look.way)
        self._switch.auto = look.picture.auto
        gated = replace(look.picture, auto=look.picture.auto and look.way.gated)
        ask = Ask("quality", item.text, Sampling(max_new_tokens=max_new_tokens), remaining_s=600.0)
        return await self._vlm.answer(ask, gated)

    def close(self) -> None:
        """End the engine."""
        self._vlm.close()


class _Keeper(Gatekeeper):
    """The served gate, but for what the way that is asked in at the moment leaves out."""

    def __init__(self, gate: Gate | None, tokenizer: Tokenizer) -> None:
        super().__init__(gate, tokenizer)
        self._most = self.looks
        self._whole = True

    def serve(self, way: Way) -> None:
        """From now on as ``way`` has it."""
        self.looks = way.looks or self._most
        self._whole = way.whole

    def points(self, attention: float | None) -> bool:
        return not self._whole or super().points(attention)


class _Switch:
    """Allocates in the way that is asked in at the moment."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self.auto = False

    def allocate(self, picture: TexturedPicture, attention: Floats | None) -> Allocation:
        """``auto`` decides on the price of tokens here, whether or not the gate was held open."""
        return self.way.allocator.allocate(replace(picture, auto=self.auto), attention)
