"""What a check finds."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "problem"]
GIB = 2**30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. A problem keeps the server from starting; a warning does not.
    ``remedy`` says what to do, and is empty where all is well."""

    check: str
    level: Level
    told: str
    remedy: str = ""


def ok(check: str, told: str) -> Finding:
    """All is well."""
    return Finding(check, "ok", told)


def warning(check: str, told: str, remedy: str) -> Finding:
    """It will run, but not as it should."""
    return Finding(check, "warning", told, remedy)


def problem(check: str, told: str, remedy: str) -> Finding:
    """It will not run."""
    return Finding(check, "problem", told, remedy)
