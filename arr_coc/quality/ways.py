"""The ways of spending visual tokens that are held against each other.

Owns what each way changes about the one that is served: the plan of the first view, the maps that an
allocation starts from, or how it chooses. Knows nothing of questions' answers.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from arr_coc.attending import TokenAllocator
from arr_coc.profile import ModelProfile
from arr_coc.quality.oracle import Oracle
from arr_coc.quality.uniform import UniformAllocator
from arr_coc.relevance import Relevance
from arr_coc.types import Allocation, Floats, TexturedPicture
from arr_coc.zooming import Allocator

Seen = tuple[TexturedPicture, Floats | None]  # what an allocation starts from: picture and attention
Alteration = Callable[[TexturedPicture, Floats | None], Seen]
CURVE = ("ours", "oracle", "downsampled", "salience", "centre", "random")
SINGLE = ("auto", "overview", "native")
ABLATIONS = (
    "without information", "without salience", "without the question", "without the balance",
    "without lost detail", "without the gate", "without the token price", "without the whole", "one look", "one patch",
    "uniform levels",
)  # fmt: skip
SPREAD = 0.25  # of the grid's sides: how wide "the centre" is


@dataclass(frozen=True, slots=True)
class Way:
    """How a picture is planned under ``profile`` and looked at again by ``allocator``.

    ``closer``: whether any view follows the first. ``gated``: whether a certain answer ends it there.
    ``whole``: whether all is seen again where a question points nowhere. ``looks``: how often patches are
    looked at while doubts remain; None: as often as the profile says.
    """

    profile: ModelProfile
    allocator: Allocator
    closer: bool = True
    gated: bool = False
    whole: bool = True
    looks: int | None = None


class Altered:
    """The served allocation, from altered maps."""

    def __init__(
        self, profile: ModelProfile, alter: Alteration, allocator: TokenAllocator | None = None
    ) -> None:
        self._relevance = Relevance(profile, allocator)
        self._alter = alter

    def allocate(self, picture: TexturedPicture, attention: Floats | None) -> Allocation:
        """As the served one, of what the alteration makes of ``picture`` and ``attention``."""
        return self._relevance.allocate(*self._alter(picture, attention))


def curve_ways(profile: ModelProfile, oracle: Oracle) -> dict[str, Way]:
    """What a curve is drawn of: each asked at several budgets."""
    pointed = profile.model_copy(update={"least_asked": 1.0, "most_asked": 1.0})
    served = Relevance(profile)
    return {
        "ours": Way(profile, served),
        "oracle": Way(profile, oracle),
        "downsampled": Way(profile, served, closer=False),
        "salience": Way(profile, Altered(profile, _salience_alone)),
        "centre": Way(profile, Altered(pointed, _at_the_centre)),
        "random": Way(profile, Altered(pointed, _anywhere)),
    }


def single_ways(profile: ModelProfile) -> dict[str, Way]:
    """What has no budget: spending left to the server, the overview alone, and native resolution."""
    overviews = [tier.model_copy(update={"total_tokens": tier.overview_tokens}) for tier in profile.tiers]
    served = Relevance(profile)
    return {
        "auto": Way(profile, served, gated=True),
        "overview": Way(profile.model_copy(update={"tiers": tuple(overviews)}), served, closer=False),
        "native": Way(profile.model_copy(update={"direct_max_tokens": profile.native_max_tokens}), served),
    }


def ablations(profile: ModelProfile) -> dict[str, Way]:
    """``auto`` with one part missing each."""
    thirds = profile.model_copy(update={"least_asked": 1 / 3, "most_asked": 1 / 3})
    one = profile.model_copy(update={"max_patches": 1})
    free = profile.model_copy(update={"token_price": 0.0})
    altered: Mapping[str, Allocator] = {
        "without information": Altered(profile, _without_information),
        "without salience": Altered(profile, _without_salience),
        "without the question": Altered(profile, _without_question),
        "without the balance": Relevance(thirds),
        "without lost detail": Altered(profile, _without_lost_detail),
        "one patch": Relevance(one),
        "uniform levels": Relevance(profile, UniformAllocator(profile)),
        "without the token price": Relevance(free),
    }
    ways = {name: Way(profile, allocator, gated=True) for name, allocator in altered.items()}
    served = Relevance(profile)
    return ways | {
        "without the gate": Way(profile, served),
        "without the whole": Way(profile, served, gated=True, whole=False),
        "one look": Way(profile, served, gated=True, looks=1),
    }


def _with_channels(picture: TexturedPicture, values: Mapping[int, float]) -> TexturedPicture:
    channels = picture.channels.copy()
    for channel, value in values.items():
        channels[channel] = value
    return replace(picture, channels=channels)


def _without_information(picture: TexturedPicture, attention: Floats | None) -> Seen:
    return _with_channels(picture, {12: 0.0}), attention


def _without_salience(picture: TexturedPicture, attention: Floats | None) -> Seen:
    """All cells of one colour, without edges, equally far out: nothing stands out."""
    return _with_channels(picture, {3: 0.5, 4: 0.5, 5: 0.5, 8: 0.0, 11: 1.0}), attention


def _without_question(picture: TexturedPicture, attention: Floats | None) -> Seen:
    return picture, None


def _salience_alone(picture: TexturedPicture, attention: Floats | None) -> Seen:
    return _without_information(picture, None)


def _without_lost_detail(picture: TexturedPicture, attention: Floats | None) -> Seen:
    return replace(picture, lost_detail=np.ones_like(picture.lost_detail)), attention


def _at_the_centre(picture: TexturedPicture, attention: Floats | None) -> Seen:
    rows, cols = picture.grid.shape
    y, x = (np.linspace(-0.5 + 0.5 / n, 0.5 - 0.5 / n, n) / SPREAD for n in (rows, cols))
    hill = np.exp(-0.5 * (y[:, None] ** 2 + x**2))
    return _without_lost_detail(picture, np.asarray(hill, np.float32))


def _anywhere(picture: TexturedPicture, attention: Floats | None) -> Seen:
    """Noise that depends on nothing but the picture."""
    rng = np.random.default_rng(zlib.crc32(picture.view.tobytes()))
    return _without_lost_detail(picture, rng.random(picture.grid.shape, np.float32))


def all_ways(profile: ModelProfile, oracle: Oracle) -> dict[str, Way]:
    """Every way by its name."""
    return curve_ways(profile, oracle) | single_ways(profile) | ablations(profile)
