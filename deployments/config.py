"""Sizes of the stages' replicas, and where their spans go. It does not know what the stages do."""

from pydantic import BaseModel, ConfigDict, Field

from arr_coc.embedding.config import EmbeddingConfig

FAILED = "failed: "  # how a status' detail begins where the model could not be loaded


class TextureStageConfig(BaseModel):
    """The CPU replicas that decode and measure pictures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    replicas: int = Field(default=1, ge=1, description="processes that decode and measure pictures")
    threads: int = Field(default=2, ge=1, description="pictures that one replica works on at once")
    num_cpus: float = Field(
        default=0.1,
        ge=0,
        description="CPUs that Ray reserves for each; fractions, since whole ones dead-lock small machines",
    )


class GenerationStageConfig(BaseModel):
    """The replica that owns the accelerator."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_cpus: float = Field(default=0.1, ge=0, description="CPUs that Ray reserves")
    num_gpus: float = Field(
        default=0.0, ge=0, description="GPUs that Ray reserves; 0 hides every GPU from the model"
    )


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
