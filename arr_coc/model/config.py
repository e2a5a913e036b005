"""Which model is served, on what, and how precisely."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ModelConfig(BaseModel):
    """Choice of model. ``source`` is ``demo`` (bundled) or a directory in the HF format."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = "demo"
    name: str | None = Field(
        default=None, description="what clients see; the last part of the source by default"
    )
    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="auto: bfloat16 on cuda, float32 on the cpu"
    )
    threads: int | None = Field(default=None, ge=1, description="torch threads on the cpu")

    @property
    def served_name(self) -> str:
        """What clients see."""
        return self.name or Path(self.source).name or self.source
