"""Which model makes vectors, and how its work is gathered."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from arr_coc.model.config import ModelConfig


class EmbeddingConfig(BaseModel):
    """A CLIP, SigLIP or SigLIP 2 beside the vision-language model, or ``alone``; off without a source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str | None = Field(default=None, description="as model.source; nothing is embedded without one")
    alone: bool = Field(default=False, description="serve no vision-language model beside it")
    name: str | None = Field(
        default=None, description="what clients see; the last part of the source by default"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto: cuda where there is one")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="auto: bfloat16 on cuda, float32 on the cpu"
    )
    threads: int | None = Field(default=None, ge=1, description="torch threads on the cpu")
    max_batch: int = Field(default=64, ge=1, description="texts, or pictures, of one forward")
    batch_tokens: int = Field(
        default=8192, ge=64, description="tokens or patches of one forward, padding included"
    )
    window_ms: float = Field(
        default=30.0, ge=0.0, le=50.0, description="longest micro-batch window; 0 cuts a batch at once"
    )
    adaptive_window: bool = Field(
        default=True, description="choose the window by arrivals and costs; else it is always the longest"
    )
    max_inputs: int = Field(
        default=128,
        ge=1,
        le=2048,
        description="texts and pictures of one request, or its labels; beyond, 400",
    )
    max_queue: int = Field(
        default=1024, ge=1, description="texts and pictures that wait or run; beyond, requests get 429"
    )
    kept_mib: float = Field(
        default=64.0, ge=0.0, description="vectors kept for those who ask for the same again; 0 keeps none"
    )
    stall_s: float = Field(
        default=30.0, gt=0, description="a forward longer than this fails the health check"
    )

    @field_validator("source")
    @classmethod
    def _check_source(cls, source: str | None) -> str | None:
        return None if source is None else ModelConfig(source=source).source

    @model_validator(mode="after")
    def _check_queue(self) -> Self:
        if self.max_inputs >= self.max_queue:
            raise ValueError("embedding.max_inputs must be below embedding.max_queue")
        return self

    @property
    def model(self) -> ModelConfig:
        """What is loaded; only where there is a source."""
        assert self.source is not None
        return ModelConfig(
            source=self.source, name=self.name, device=self.device, dtype=self.dtype, threads=self.threads
        )
