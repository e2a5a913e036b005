"""Someone who reads a page and does what it says, in a checkout of their own."""

import contextlib
import doctest
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.docs.pages import ROOT, Block

LIMIT_S = 300
_STAMPS = (".installed", ".system", ".locust", ".containers")  # the Makefile's: nothing is to be installed


def check_out(directory: Path) -> Path:
    """A copy of this checkout, with this interpreter's environment as its ``.venv``."""
    copy = directory / "checkout"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "scenes"))
    environment = copy / ".venv"
    environment.mkdir()
    for path in Path(sys.prefix).iterdir():
        if path.name not in _STAMPS:
            (environment / path.name).symlink_to(path)
    for stamp in _STAMPS:
        (environment / stamp).touch()
    return copy


class Reader:
    """Runs blocks in a directory; ``ports`` are used in the place of the pages' own."""

    def __init__(self, directory: Path, ports: Mapping[int, int]) -> None:
        self.directory = directory
        self._ports = ports
        self._names: dict[str, Any] = {"__name__": "page"}

    @property
    def environment(self) -> dict[str, str]:
        """That of a shell in the checkout."""
        port = str(self._ports.get(8000, 8000))
        own = {
            "PATH": f"{self.directory / '.venv/bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(self.directory),
            "ARR_COC_URL": f"http://localhost:{port}",
            "PORT": port,
            "NO_PROXY": "localhost",
        }
        left_out = ("GOOGLE_CLOUD_PROJECT", "MAKEFLAGS", "MAKELEVEL", "VENV")
        return {name: value for name, value in os.environ.items() if name not in left_out} | own

    def follow(self, blocks: Iterable[Block]) -> None:
        """Run ``blocks`` in their order, and compare what they print with what the page says."""
        for block in blocks:
            printed = self._python(block) if block.language == "python" else self._bash(block)
            if block.output is not None:
                check_printed(block.output, printed)

    def _bash(self, block: Block) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self._placed(block.text)],
            cwd=self.directory, env=self.environment, capture_output=True, text=True, timeout=LIMIT_S,
        )  # fmt: skip
        assert done.returncode == 0, f"{block}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _python(self, block: Block) -> str:
        """All blocks of a reader share their names, as those of one file."""
        source = "\n" * (block.line - 1) + self._placed(block.text)  # so that errors tell the page's lines
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.chdir(self.directory):
            exec(compile(source, block.page, "exec"), self._names)
        return printed.getvalue()

    def _placed(self, text: str) -> str:
        for there, here in self._ports.items():
            text = re.sub(rf"\b{there}\b", str(here), text)
        return text


def check_printed(expected: Block, printed: str) -> None:
    """What was printed is what the page says; ``...`` stands for anything, and spaces in JSON for nothing."""
    wanted, got = expected.text, printed
    if expected.language == "json":
        wanted, got = ("".join(text.split()) for text in (wanted, got))
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.OutputChecker().check_output(wanted, got, flags), f"{expected}: it printed\n{printed}"
