"""A browser for the page: Debian's Chromium, driven by playwright, which downloads none of its own.

Both are needed only here, so playwright is imported where it is used.
"""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
EXPECTED = "Failed to load resource"  # how the console tells of refusals that a test provokes


@asynccontextmanager
async def launched() -> AsyncIterator["Browser"]:
    """The distribution's Chromium, without a window."""
    from playwright.async_api import async_playwright

    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    assert found, "no Chromium here: apt-get install chromium"
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []  # as root it does not start with one
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=arguments)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def opened(browser: "Browser", url: str, **options: Any) -> AsyncIterator["Page"]:
    """The page at ``url`` in a browser of its own; whatever it complains of on its console fails the test."""
    complaints: list[str] = []
    options = {"viewport": {"width": 1280, "height": 900}, **options}
    context = await browser.new_context(**options)
    try:
        page = await context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.extend([said.text] if said.type == "error" else []))
        await page.goto(url)
        await page.locator("#samples button").first.wait_for()
        yield page
        unexpected = [said for said in complaints if EXPECTED not in said]
        assert not unexpected, unexpected
    finally:
        await context.close()
