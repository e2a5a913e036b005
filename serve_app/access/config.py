"""What an operator sets about access. Keys themselves are in no config."""

import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|\*", re.ASCII)
_HOST = re.compile(r"(?=.*[a-z])([a-z0-9-]+\.)+[a-z0-9-]+(:[0-9]{1,5})?", re.ASCII)


class AccessConfig(BaseModel):
    """Keys and their limits, origins, and the hosts that pictures are fetched from. Everything is off."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys_file: Path | None = Field(
        default=None, description="a file of lines LABEL KEY; ARR_COC_API_KEYS holds more of them"
    )
    max_in_flight: int | None = Field(
        default=None, ge=1, description="requests of one label at once; beyond, 429"
    )
    requests_per_minute: float | None = Field(
        default=None, gt=0, description="of one label; a minute's worth may come at once; beyond, 429"
    )
    cors_origins: tuple[str, ...] = Field(
        default=(), description="https://HOST of other sites' pages that may ask, or *"
    )
    picture_hosts: tuple[str, ...] = Field(
        default=(), description="HOST or HOST:PORT that pictures are fetched from by https"
    )
    fetch_timeout_s: float = Field(default=10.0, gt=0, description="to fetch one picture; beyond, 422")

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if not all(map(_ORIGIN.fullmatch, origins)):
            raise ValueError("an origin is https://HOST or http://HOST in small letters, no path, or *")
        return origins

    @field_validator("picture_hosts")
    @classmethod
    def _hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        if not all(map(_HOST.fullmatch, hosts)):
            raise ValueError("a host is a full name in small letters, without scheme or path, no address")
        return hosts
