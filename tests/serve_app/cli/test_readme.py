"""The README's own lines, but for where the server is."""

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.serve_app.cli.batch.test_command import results
from tests.serve_app.cli.command import invoke_beside
from tests.serve_app.cli.test_ask import url
from tests.serve_app.fakes import PNG
from tests.serve_app.site import on_socket

README = (Path(__file__).parents[3] / "README.md").read_text()
SECTION = README[README.index("## The command") : README.index("## The page")]
COMMANDS = re.findall(r"(?m)^    arr-coc (.*)$", SECTION)
QUESTIONS = re.findall(r"(?m)^    echo '(.*)' > questions.jsonl$", SECTION)


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the README's reader stands."""
    (tmp_path / "scenes").mkdir()
    (tmp_path / "scenes/scene-900003.png").write_bytes(PNG)
    (tmp_path / "questions.jsonl").write_text("\n".join(QUESTIONS))
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def test_its_questions_are_answered(directory: Path) -> None:
    asked = [line for line in COMMANDS if line.startswith(("ask", "batch"))]
    async with on_socket() as site:
        for line in asked:
            where = [] if "--local" in line else ["--url", url(site)]
            told = await invoke_beside(*shlex.split(line), *where)
            assert told.exit_code == 0, told.output
    assert len(asked) == 3
    (result,) = results(directory / "answers.jsonl")
    assert result["answer"] == json.loads(QUESTIONS[0])["query"]
