"""Every block of the documentation, run as its reader would: in a checkout, beside the server that it starts.

What is no exception of `tests.docs.homes` runs here, page by page and in the order of the page, and prints
what the page says.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.homes import PURE, SERVED, SERVER, to_run
from tests.docs.pages import PAGES, Page
from tests.docs.reader import Reader, check_out
from tests.system.server import Running, free_port, wait_ready


def _pages() -> list[object]:
    """Each page that has something to run, with what that takes."""
    marks = {page.name: pytest.mark.server if page.name in SERVED else pytest.mark.system for page in PAGES}
    pages = [page for page in PAGES if page.name not in PURE and to_run(page)]
    return [pytest.param(page, id=page.name, marks=marks[page.name]) for page in pages]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return check_out(tmp_path_factory.mktemp("reader"))


@pytest.fixture(scope="module")
def ports() -> dict[int, int]:
    """Of this machine, in the place of those that the pages name."""
    return {8000: free_port(), 8001: free_port()}


@pytest.fixture(scope="module")
def server(checkout: Path, ports: dict[int, int]) -> Iterator[None]:
    """What the pages' own command starts, until all of them are through."""
    log = checkout.parent / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {SERVER}"],
            cwd=checkout, env=Reader(checkout, ports).environment, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    try:
        wait_ready(Running(process, f"http://127.0.0.1:{ports[8000]}", log))
        yield
    finally:
        process.terminate()  # make tells the server
        try:
            process.wait(30)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("page", _pages())
def test_a_page_does_what_it_says(
    page: Page, checkout: Path, ports: dict[int, int], request: pytest.FixtureRequest
) -> None:
    if page.name in SERVED:
        request.getfixturevalue("server")
    Reader(checkout, ports).follow(to_run(page))
