"""One browser for all tests, and for each a server and the page of its own."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest_asyncio

from tests.serve_app.site import Site, on_socket
from tests.system.playground.browser import launched, opened
from tests.system.playground.pointing import PointingGeneration, RealTexture
from tests.system.playground.steps import url_of

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator["Browser"]:
    """Chromium."""
    async with launched() as ready:
        yield ready


@pytest_asyncio.fixture(loop_scope="session")
async def site() -> AsyncIterator[Site]:
    """The application on a socket, over stages that need no model."""
    async with on_socket(RealTexture(), PointingGeneration()) as ready:
        yield ready


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: "Browser", site: Site) -> AsyncIterator["Page"]:
    """The page, before anything is done on it."""
    async with opened(browser, url_of(site)) as ready:
        yield ready
