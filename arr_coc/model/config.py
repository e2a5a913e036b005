"""Which model is served, on what, and how precisely."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from arr_coc.errors import ConfigError
from arr_coc.model.precision import Quantization
from arr_coc.model.sources.spec import parse


class ModelConfig(BaseModel):
    """Choice of model. What ``source`` may say: `arr_coc.model.sources.spec`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(
        default="demo",
        description="demo, a directory, a hub id, gs://... or vertex://...: see docs/models.md",
    )
    name: str | None = Field(
        default=None, description="what clients see; the last part of the source by default"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="auto: cuda where there is a usable GPU"
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto", description="auto: bfloat16 on cuda and for int4, else float32"
    )
    quantization: Quantization | None = Field(
        default=None, description="holds the language model's matrices in 8 or 4 bits, by torchao"
    )
    threads: int | None = Field(
        default=None, ge=1, description="torch threads on the cpu; torch's own choice by default"
    )

    @field_validator("source")
    @classmethod
    def _check_source(cls, source: str) -> str:
        try:
            parse(source)
        except ConfigError as error:
            raise ValueError(error.message) from error
        return source

    @model_validator(mode="after")
    def _check_quantization(self) -> Self:
        if self.quantization == "int4" and self.dtype not in ("auto", "bfloat16"):
            raise ValueError("quantization int4 computes in bfloat16; leave dtype at auto")
        return self

    @property
    def served_name(self) -> str:
        """What clients see."""
        return self.name or parse(self.source).name

    @property
    def cpu_itemsize(self) -> int | None:
        """Bytes of a number of the weights in this machine's memory; None where they may go to a GPU, or
        where most are held in fewer bits than those that are not."""
        if self.device != "cpu" or self.quantization is not None:
            return None
        return self.itemsize(on_gpu=False)

    def chosen_dtype(self, on_gpu: bool) -> str:
        """Of what is not quantized: other weights, activations, keys and values."""
        if self.dtype != "auto":
            return self.dtype
        return "bfloat16" if on_gpu or self.quantization == "int4" else "float32"

    def itemsize(self, on_gpu: bool) -> int:
        """Bytes of a number of that dtype."""
        return 4 if self.chosen_dtype(on_gpu) == "float32" else 2
