"""Every block of the pages has a home where it is tried, and those that run without a server run here."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from serve_app.config_file import read_config
from tests.docs.homes import NOT_RUN, PURE, SERVED, SHOWN, exempt, to_run
from tests.docs.pages import PAGES, Block, Page
from tests.docs.reader import Reader, check_printed

BLOCKS = [block for page in PAGES for block in page.blocks]


def in_language(*languages: str) -> list[Block]:
    return [block for block in BLOCKS if block.language in languages]


def test_every_block_has_a_home() -> None:
    lost = [
        block for block in BLOCKS if block.language not in ("bash", "python", "yaml") and not exempt(block)
    ]
    assert not lost, f"neither run nor listed in tests/docs/homes.py: {', '.join(map(str, lost))}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_is_fenced(page: Page) -> None:
    assert not [token.map for token in page.tokens if token.type == "code_block"]


@pytest.mark.parametrize("listed", [*NOT_RUN, *SHOWN], ids=lambda listed: f"{listed.page}: {listed.begins}")
def test_each_exception_is_for_one_block(listed) -> None:
    assert len([block for block in BLOCKS if listed.is_for(block)]) == 1
    assert listed.reason


def test_pages_that_are_named_exist() -> None:
    assert {*PURE, *SERVED} <= {page.name for page in PAGES}


@pytest.mark.parametrize("block", in_language("bash"), ids=str)
def test_commands_can_be_parsed(block: Block) -> None:
    done = subprocess.run(
        [shutil.which("bash") or "bash", "-n"], input=block.text, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", in_language("yaml"), ids=str)
def test_configs_can_be_read(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(block.text)
    assert read_config(file).model_dump(exclude_unset=True, mode="json") == yaml.safe_load(block.text)


@pytest.mark.parametrize("page", [page for page in PAGES if page.name in PURE], ids=lambda page: page.name)
def test_what_needs_no_server_runs(page: Page, tmp_path: Path) -> None:
    Reader(tmp_path, {}).follow(to_run(page))


def test_what_is_printed_is_compared() -> None:
    said = Block("page.md", 1, "json", '{"a": 1, ...,\n "z": [1,  2]}\n')
    check_printed(said, '{"a":1,"b":2,"z":[1,2]}')
    for printed in ('{"a":2,"b":2,"z":[1,2]}', '{"a":1,"b":2,"z":[1,2]} {}'):
        with pytest.raises(AssertionError, match=r"page\.md:1"):
            check_printed(said, printed)
    with pytest.raises(AssertionError):
        check_printed(Block("page.md", 1, "text", "one\n"), "one two\n")


def test_a_failing_block_is_told(tmp_path: Path) -> None:
    reader = Reader(tmp_path, {8000: 1234})
    reader.follow(
        [Block("page.md", 1, "bash", "echo $PORT 8000", Block("page.md", 3, "text", "1234 1234\n"))]
    )
    with pytest.raises(AssertionError, match=r"page\.md:7"):
        reader.follow([Block("page.md", 7, "bash", "false | true")])
    with pytest.raises(ZeroDivisionError):
        reader.follow([Block("page.md", 9, "python", "1 / 0")])
