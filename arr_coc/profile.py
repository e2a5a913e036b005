"""How a model wants to be looked with: token geometry, budgets, and what calibration measured.

Owns ``arr_coc.json``, the file that lies beside a model's weights. Knows nothing of weights.
"""

import json
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from arr_coc.errors import ModelLoadError
from arr_coc.geometry import PREPROCESSOR_FILE, FixedView, geometry
from arr_coc.published import published_heads

PROFILE_FILE = "arr_coc.json"
SMALLEST_VIEW = 64  # visual tokens; no view and no patch of a model that takes views of any size is smaller

Head = tuple[int, int]  # (layer, head), counted from zero


class Tier(BaseModel):
    """Default spending on pictures of at least ``from_native_tokens`` native tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    from_native_tokens: int = Field(ge=0, description="the smallest picture that this tier is for")
    overview_tokens: int = Field(ge=SMALLEST_VIEW, description="the overview alone")
    total_tokens: int = Field(ge=SMALLEST_VIEW, description="overview and patches together")


class Gate(BaseModel):
    """When the overview is enough. Read where a request leaves its budget to the server."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    certain: float = Field(
        gt=0,
        le=1,
        description="probability of an answer's first token from which nothing is looked at closer",
    )
    doubts: tuple[str, ...] = Field(
        default=(), description="answers that ask for a closer look by themselves, however probable"
    )
    looks: int = Field(
        default=1, ge=1, le=4, description="how often another place is looked at while doubts remain"
    )
    pointing: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of the listed heads' attention that the overview draws from a question that points "
        "at a place; one that draws less is about the whole picture, which is seen again in a finer view",
    )


class ModelProfile(BaseModel):
    """A model's defaults for routing and relevance. All token counts are visual tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token_side: int = Field(default=32, ge=1, description="pixels along one cell of a view")
    fixed_view: FixedView | None = Field(default=None, description="of a model that takes views of one size")
    direct_max_tokens: int = Field(
        default=768, ge=SMALLEST_VIEW, description="pictures up to this are seen natively by default"
    )
    native_max_tokens: int = Field(
        default=4096, ge=SMALLEST_VIEW, description="largest native view a request's budget can ask for"
    )
    max_budget: int = Field(default=4096, ge=SMALLEST_VIEW, description="largest budget of one request")
    tiers: tuple[Tier, ...] = Field(
        default=(Tier(from_native_tokens=0, overview_tokens=256, total_tokens=768),),
        min_length=1,
        description="ascending; the last one that a picture reaches holds",
    )
    max_patches: int = Field(default=4, ge=1, le=8, description="parts that one look may look at closer")
    heads: tuple[Head, ...] = Field(
        default=(), description="(layer, head), from 0, whose attention finds what is asked for"
    )
    sink_heads: tuple[Head, ...] = Field(default=(), description="(layer, head) that mark attention sinks")
    least_asked: float = Field(
        default=0.5, ge=0, le=1, description="weight of a question that points nowhere"
    )
    most_asked: float = Field(
        default=0.9, ge=0, le=1, description="weight of a question that points at one place"
    )
    crop_price: float = Field(
        default=0.02, ge=0, description="worth, in shares of relevance, that a patch must exceed"
    )
    token_price: float = Field(
        default=0.0,
        ge=0,
        description="worth, in shares of relevance, that each visual token of a patch must bring where a "
        "request leaves its budget to the server",
    )
    gate: Gate | None = Field(default=None, description="none: every overview is looked at closer")

    @model_validator(mode="after")
    def _weights_ascend(self) -> Self:
        if self.least_asked > self.most_asked:
            raise ValueError("least_asked must not exceed most_asked")
        return self

    @model_validator(mode="after")
    def _tiers_ascend(self) -> Self:
        starts = [tier.from_native_tokens for tier in self.tiers]
        if starts[0] != 0 or starts != sorted(set(starts)):
            raise ValueError("tiers must start at 0 native tokens and ascend")
        return self

    def tier(self, native_tokens: int) -> Tier:
        """The tier of a picture of ``native_tokens``."""
        return [tier for tier in self.tiers if tier.from_native_tokens <= native_tokens][-1]

    @property
    def smallest_view(self) -> int:
        """Visual tokens of the cheapest view, which is the smallest budget of a picture."""
        return SMALLEST_VIEW if self.fixed_view is None else self.fixed_view.grid.tokens

    @property
    def most_used(self) -> int:
        """Visual tokens beyond which a larger budget changes nothing."""
        if self.fixed_view is None:
            return self.max_budget
        views = 1 + self.max_patches if self.fixed_view.closer else 1
        return min(views * self.smallest_view, self.max_budget)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read ``arr_coc.json`` in a model directory; without one, the defaults.

        ``token_side`` and ``fixed_view`` are the model's own, from its ``config.json``; heads that the file
        does not tell are the published ones where the model is a checkpoint that has some. Raises
        ModelLoadError where a file does not say what it should, or the model is of a variant that is not
        served.
        """
        path = directory / PROFILE_FILE
        try:
            profile = cls.model_validate_json(path.read_bytes()) if path.exists() else cls()
        except (OSError, ValidationError) as error:
            raise ModelLoadError(f"{PROFILE_FILE} in the model directory is not a valid profile") from error
        profile = profile._as_configured(directory / "config.json")
        if profile.fixed_view is not None:
            profile.fixed_view.check_preprocessor(directory / PREPROCESSOR_FILE, profile.token_side)
        return profile

    def _as_configured(self, path: Path) -> Self:
        """This profile for the model of a ``config.json``."""
        try:
            return self.model_copy(update=self._of_model(json.loads(path.read_text())))
        except FileNotFoundError:
            return self
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise ModelLoadError(f"{path} is not a model's configuration") from error

    def _of_model(self, config: dict[str, Any]) -> dict[str, Any]:
        """What the model's own configuration says better than this profile."""
        model, published = geometry(config), published_heads(config)
        told: dict[str, Any] = {"fixed_view": model.fixed}
        if model.token_side is not None:
            told["token_side"] = model.token_side
        if published is not None and "heads" not in self.model_fields_set:
            told |= {"heads": published.localising, "sink_heads": published.sinks}
        return told
