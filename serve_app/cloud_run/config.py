"""What an operator may choose on Cloud Run. What follows from the server's own settings is not chosen."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_NAME = r"^[a-z][a-z0-9-]{0,28}[a-z0-9]$"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WarmHours(_Section):
    """Hours in which instances are kept ready for the first request of the day."""

    instances: int = Field(default=1, ge=1, le=1000, description="kept ready in these hours")
    days: str = Field(default="1-5", pattern=r"^[0-7*,-]+$", description="cron's days of the week; 0: Sunday")
    start: int = Field(default=8, ge=0, le=23, description="hour from which on")
    end: int = Field(default=19, ge=0, le=23, description="hour up to which; after start, on the same day")
    time_zone: str = Field(default="Etc/UTC", pattern=r"^[A-Za-z0-9_+/-]+$", description="of these hours")

    @model_validator(mode="after")
    def _within_a_day(self) -> Self:
        if self.start >= self.end:  # past midnight, the end would fall on another day than these
            raise ValueError("warm_hours must start before they end")
        return self


class CloudRunConfig(_Section):
    """One service. An instance is one container with at most one GPU."""

    region: str = Field(default="us-central1", pattern=r"^[a-z]+-[a-z]+[0-9]+$", description="Google Cloud's")
    gpu: Literal["nvidia-l4"] | None = Field(default=None, description="of each instance")
    cpu: Literal[1, 2, 4, 6, 8] = Field(default=4, description="vCPU of an instance")
    memory_gib: int = Field(default=16, ge=1, le=32, description="memory of an instance")
    min_instances: int = Field(default=0, ge=0, le=1000, description="kept running; 0 scales to zero")
    max_instances: int = Field(default=1, ge=1, le=1000, description="never more than these")
    service_account: str = Field(default="arr-coc", pattern=_NAME, description="its name in the project")
    warm_hours: WarmHours | None = Field(default=None, description="hours in which more are kept running")
