"""The engine's limits, in one place: the stages above derive theirs from these."""

from pydantic import BaseModel, ConfigDict, Field


class EngineConfig(BaseModel):
    """Sizes and times of the slot engine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slots: int = Field(default=32, ge=1, description="sequences that run at once")
    max_length: int = Field(default=2048, ge=128, description="tokens a slot can hold, answer included")
    prefill_token_budget: int = Field(
        default=2048, ge=64, description="tokens (visual + text, padding included) of one prefill batch"
    )
    window_ms: float = Field(
        default=30.0, ge=0.0, le=50.0, description="longest micro-batch window; 0 cuts a batch at once"
    )
    adaptive_window: bool = Field(
        default=True, description="choose the window by arrivals and costs; else it is always the longest"
    )
    interrupt_ms: float | None = Field(
        default=150.0,
        gt=0,
        description="how long a prefill may keep those who decode waiting, eight times as long where one tenant "
        "asks and all want whole answers; a longer one runs in parts with a step between them; null divides none",
    )
    shared_mib: float = Field(
        default=256.0,
        ge=0.0,
        description="what is kept of pictures for those who ask about them again; 0 keeps nothing",
    )
    max_queue: int = Field(default=128, ge=1, description="waiting sequences; beyond, requests get 429")
    max_new_tokens_limit: int = Field(
        default=1024, ge=1, description="largest max_tokens a client may ask for"
    )
    stall_s: float = Field(default=30.0, gt=0, description="a step longer than this fails the health check")

    @property
    def interrupt_s(self) -> float | None:
        return None if self.interrupt_ms is None else self.interrupt_ms / 1e3

    @property
    def shared_bytes(self) -> int:
        return int(self.shared_mib * 2**20)
