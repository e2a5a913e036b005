"""Sizes of the stages' replicas, where they run, and where their spans go. It does not know what the
stages do."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from arr_coc.embedding.config import EmbeddingConfig

FAILED = "failed: "  # how a status' detail begins where the model could not be loaded


class Scaling(BaseModel):
    """Between how many replicas a stage has, and how long Ray Serve looks before it changes that."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_replicas: int = Field(default=1, ge=1, description="never fewer")
    max_replicas: int = Field(default=1, ge=1, description="never more")
    upscale_delay_s: float = Field(default=15.0, ge=0, description="too few for so long, before more start")
    downscale_delay_s: float = Field(default=300.0, ge=0, description="too many for so long, before one ends")
    look_back_s: float = Field(default=20.0, gt=10, description="the load counts as its mean over so long")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.max_replicas < self.min_replicas:
            raise ValueError("max_replicas must not be below min_replicas")
        return self


class TextureScaling(Scaling):
    """By the calls under way, Ray Serve's own measure."""

    ongoing_each: float = Field(default=4.0, gt=0, description="calls under way that one replica is for")


class GenerationScaling(Scaling):
    """By the tokens that wait for the engines, see ``deployments.autoscaling``."""

    backlog_tokens_each: int = Field(
        default=8192, ge=1, description="prompt tokens that may wait for one replica"
    )


class _Stage(BaseModel):
    """What both stages have. ``autoscaling`` goes before ``replicas``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    replicas: int = Field(default=1, ge=1, description="processes")
    node_labels: dict[str, str] = Field(
        default={}, description="labels of the Ray nodes that replicas may run on; none: any node"
    )
    autoscaling: Scaling | None = None

    @property
    def most_replicas(self) -> int:
        """How many replicas there may be."""
        return self.replicas if self.autoscaling is None else self.autoscaling.max_replicas


class TextureStageConfig(_Stage):
    """The CPU replicas that decode and measure pictures."""

    autoscaling: TextureScaling | None = Field(
        default=None, description="lets the number of replicas follow the load, instead of replicas"
    )
    threads: int = Field(default=2, ge=1, description="pictures that one replica works on at once")
    num_cpus: float = Field(
        default=0.1,
        ge=0,
        description="CPUs that Ray reserves for each; fractions, since whole ones dead-lock small machines",
    )


class GenerationStageConfig(_Stage):
    """The replicas, each of which owns an accelerator."""

    autoscaling: GenerationScaling | None = Field(
        default=None, description="lets the number of replicas follow the load, instead of replicas"
    )
    num_cpus: float = Field(default=0.1, ge=0, description="CPUs that Ray reserves")
    num_gpus: float = Field(
        default=0.0, ge=0, description="GPUs that Ray reserves; 0 hides every GPU from the model"
    )
    models_gib: float | None = Field(
        default=None,
        gt=0,
        description="what all loaded models may hold together, weights, slots and what is kept of pictures; "
        "by default, where several are served, what is free on the device before the first is loaded, less a tenth",
    )

    @property
    def models_bytes(self) -> int | None:
        return None if self.models_gib is None else int(self.models_gib * 2**30)


class EmbeddingStageConfig(EmbeddingConfig):
    """The embedding model and the replica that owns it."""

    num_cpus: float = Field(default=0.1, ge=0, description="what Ray reserves")
    num_gpus: float = Field(
        default=0.0, ge=0, description="what Ray reserves, a share where the GPU is the VLM's too; 0 hides it"
    )


class TracingConfig(BaseModel):
    """Where spans are sent; nowhere by default. Needs the extra ``tracing``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: str | None = Field(
        default=None,
        pattern="^https?://",
        description="an OTLP/HTTP collector, such as http://localhost:4318",
    )
    sample_ratio: float = Field(
        default=1.0, ge=0, le=1, description="share of requests traced where the client does not say"
    )
