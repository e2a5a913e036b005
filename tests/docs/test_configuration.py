"""``docs/configuration.md`` is what the settings make of it today, and tells every one of them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel, Field

from arr_coc.profile import ModelProfile
from serve_app.app import METRICS_DIRECTORY
from serve_app.config import ServerFile
from serve_app.configuration_page import page, sections

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "configuration.md"
PACKAGES = ("arr_coc", "deployments", "serve_app")


def test_it_is_current() -> None:
    assert PAGE.read_text() == page(), "python -m serve_app.configuration_page > docs/configuration.md"


def test_every_variable_of_the_environment_is_told() -> None:
    told = set(
        re.findall(r"`([A-Z][A-Z_]+)`", PAGE.read_text().partition("## Environment")[2].partition("##")[0])
    )
    sources = [path.read_text() for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    own = {name for source in sources for name in re.findall(r"\"(ARR_COC_[A-Z_]+|PORT)\"", source)}
    assert own - {METRICS_DIRECTORY} <= told
    libraries = {"HF_TOKEN", "HF_ENDPOINT", "GOOGLE_APPLICATION_CREDENTIALS", "OTEL_EXPORTER_OTLP_HEADERS"}
    assert told - own == libraries


def _models(kind: object) -> Iterator[type[BaseModel]]:
    """``kind`` and all that lies in it, as Python's own types tell it."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        for field in kind.model_fields.values():
            yield from _models(field.annotation)
    for each in get_args(kind):
        yield from _models(each)


@pytest.mark.parametrize("model", [ServerFile, ModelProfile])
def test_every_setting_is_told(model: type[BaseModel]) -> None:
    told = sorted(sorted(section.schema["properties"]) for section in sections(model))
    assert told == sorted(sorted(each.model_fields) for each in _models(model))


def test_a_setting_that_says_nothing_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mute(BaseModel):
        told: int = Field(default=1, description="what for")
        untold: int = 1

    monkeypatch.setattr("serve_app.configuration_page.ServerFile", Mute)
    with pytest.raises(ValueError, match="on top: untold has no description"):
        page()
