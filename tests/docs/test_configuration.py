"""``docs/configuration.md`` is what the settings make of it today, and tells every one of them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, get_args

import pytest
from pydantic import BaseModel, Field

from arr_coc.profile import ModelProfile
from serve_app.config_file import ServerFile
from serve_app.configuration_page import page, sections

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "configuration.md"
INTERNAL = {"ARR_COC_METRICS_DIR"}  # what the server tells its own processes
PACKAGES = ("arr_coc", "deployments", "serve_app")


def test_it_is_current() -> None:
    assert PAGE.read_text() == page(), "python -m serve_app.configuration_page > docs/configuration.md"


def test_every_variable_of_the_environment_is_told() -> None:
    told = set(
        re.findall(r"`([A-Z][A-Z_]+)`", PAGE.read_text().partition("## Environment")[2].partition("##")[0])
    )
    sources = [path.read_text() for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    own = {name for source in sources for name in re.findall(r"\"(ARR_COC_[A-Z_]+|PORT)\"", source)}
    assert own - INTERNAL <= told
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
    told = {name: set(section.schema["properties"]) for name, section in sections(model).items()}
    assert told == {each.__name__: set(each.model_fields) for each in _models(model)}


class _Part(BaseModel):
    """Some of it."""

    size: int = Field(ge=1, le=2000, description="how much, see docs/api.md")
    ways: tuple[Literal["a", "b"], ...] = Field(default=(), description="some of a|b")


class _Rest(BaseModel):
    """What is left."""

    left: int = Field(default=3, description="so much")


class _Whole(BaseModel):
    """All of it.

    What operators need not know."""

    one: _Part = Field(default=_Part(size=1), description="the first")
    other: _Part = Field(default=_Part(size=2), description="the second")
    rest: _Rest = _Rest()
    named: dict[str, _Part] = Field(default={}, description="by ``name``")
    matched: dict[Annotated[str, Field(pattern="^x")], float] = Field(default={}, description="of some")
    pairs: tuple[tuple[int, float], ...] = Field(default=((1, 2.5),), description="of numbers")
    maybe: Annotated[float, Field(gt=0)] | None = Field(default=None, description="if at all")
    on: bool = Field(default=True, description="whether")


def test_settings_are_told_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve_app.configuration_page.ServerFile", _Whole)
    told = page()
    for row in (
        '| `other` | the settings of `one` | `{"size": 2, "ways": []}` | the second |',
        "| `left` | integer | `3` | so much |",
        "| `named` | by name: the settings of `one` | none | by ``name`` |",
        "| `matched` | by name: number | none | of some |",
        "| `pairs` | a list of: [integer, number] | `[[1, 2.5]]` | of numbers |",
        "| `maybe` | number above 0 | none | if at all |",
        "| `on` | `true`, `false` | `true` | whether |",
        "| `size` | integer 1 to 2,000 | required | how much, see [api.md](api.md) |",
        r"| `ways` | a list of: `a`, `b` | none | some of a\|b |",
    ):
        assert row in told.splitlines()
    assert "What operators need not know" not in told
    assert told.count("## `one`") == told.count("## `rest`") == 1
    assert "| `rest` |" not in told


def test_a_setting_that_says_nothing_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mute(BaseModel):
        told: int = Field(default=1, description="what for")
        untold: int = 1

    monkeypatch.setattr("serve_app.configuration_page.ServerFile", Mute)
    with pytest.raises(ValueError, match="The whole has settings without a description: untold"):
        page()
