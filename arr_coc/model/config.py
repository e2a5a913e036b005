"""Which model is served, on what, and how precisely."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from arr_coc.errors import ConfigError
from arr_coc.model.sources.spec import parse


class ModelConfig(BaseModel):
    """Choice of model. What ``source`` may say: `arr_coc.model.sources.spec`."""

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
    when: Literal["start", "first_request"] = Field(
        default="start",
        description="when it is downloaded and loaded; the server is ready once all models of its start are",
    )

    @field_validator("source")
    @classmethod
    def _check_source(cls, source: str) -> str:
        try:
            parse(source)
        except ConfigError as error:
            raise ValueError(error.message) from error
        return source

    @property
    def served_name(self) -> str:
        """What clients see."""
        return self.name or parse(self.source).name

    @property
    def cpu_itemsize(self) -> int | None:
        """Bytes of a number of the weights in this machine's memory; None where they may go to a GPU."""
        if self.device != "cpu":
            return None
        return 2 if self.dtype == "bfloat16" else 4
