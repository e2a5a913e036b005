"""What the pages name exists: modules with their options, subcommands, targets of make, files, names in files."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from serve_app.cli.app import app
from tests.docs.pages import PAGES, ROOT, Page

MAKEFILE = (ROOT / "Makefile").read_text()
COMMAND: Any = typer.main.get_command(app)
_STARTS = ("python -m ", "arr-coc ", "make ")


def commands() -> list[tuple[Page, list[str]]]:
    """Every command that the pages show, in blocks and within lines, as words."""
    found = []
    for page in PAGES:
        lines = [
            line for block in page.blocks if block.language == "bash" for line in block.text.splitlines()
        ]
        for said in (*lines, *page.code):
            for part in re.split(r"&&|;|\||>", said.replace(".venv/bin/", "")):
                command = re.sub(r"^(\w+=\S+ )+", "", part.strip())
                if command.startswith(_STARTS):
                    found.append((page, shlex.split(command, comments=True)))
    return found


def words(start: str) -> list[object]:
    return [
        pytest.param(said, id=f"{page.name}: {' '.join(said)}")
        for page, said in commands()
        if said[0] == start
    ]


@pytest.mark.parametrize("said", words("python"))
def test_modules_and_their_options_exist(said: list[str]) -> None:
    module = said[2]
    spec = importlib.util.find_spec(f"{module}.__main__" if _is_package(module) else module)
    assert spec is not None and spec.origin is not None
    source = "".join(path.read_text() for path in _beside(Path(spec.origin)))
    missing = [word for word in said[3:] if word.startswith("--") and f'"{word}"' not in source]
    assert not missing


def _is_package(module: str) -> bool:
    spec = importlib.util.find_spec(module)
    assert spec is not None, module
    return spec.submodule_search_locations is not None


def _beside(path: Path) -> Iterator[Path]:
    """The modules in which a command may read its options."""
    return path.parent.glob("*.py") if path.name == "__main__.py" else iter([path])


@pytest.mark.parametrize("said", words("arr-coc"))
def test_subcommands_and_their_options_exist(said: list[str]) -> None:
    if said[1].startswith("--"):
        assert said[1] in {option for each in COMMAND.params for option in each.opts}
        return
    subcommand = COMMAND.commands[said[1]]
    known = {option for each in subcommand.params for option in (*each.opts, *each.secondary_opts)}
    assert {word for word in said[2:] if word.startswith("--")} <= known | {"--help"}


def test_every_subcommand_is_told() -> None:
    quickstart = next(page for page in PAGES if page.name == "docs/quickstart.md")
    told = re.findall(r"(?m)^\| `arr-coc (\w+)[^|]*` \|", quickstart.path.read_text())
    assert sorted(told) == sorted(COMMAND.commands)


@pytest.mark.parametrize("said", words("make"))
def test_targets_and_their_variables_exist(said: list[str]) -> None:
    for word in said[1:]:
        name, is_variable, _ = word.partition("=")
        pattern = rf"\$\((if \$\()?{name}\)" if is_variable else rf"(?m)^{re.escape(name)}:.*## "
        assert re.search(pattern, MAKEFILE), word


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Page) -> None:
    tops = {path.name for path in ROOT.iterdir() if path.is_dir()}
    named = [code for code in page.code if re.fullmatch(r"[\w.-]+(/[\w.-]+)+/?", code)]
    made = ("load_tests/results/bench/", "load_tests/results/locust/")
    assert not [
        name
        for name in named
        if name.split("/")[0] in tops and name not in made and not (ROOT / name).exists()
    ]


def test_the_places_where_a_family_is_named_exist() -> None:
    text = (ROOT / "docs" / "adding_a_family.md").read_text()
    rows = re.findall(r"(?m)^\| `([\w/.]+)`: `([^`]+)` \| (.*) \|$", text)
    assert len(rows) == 6
    for file, name, more in rows:
        source = (ROOT / file).read_text()
        for each in (name, *re.findall(r"`(_\w+)`", more)):
            assert each in source, f"{file}: {each}"
