"""What goes wrong is told in words, and a model that still loads is waited for."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from arr_coc.errors import ModelFault, Overloaded
from tests.serve_app.fakes import READY
from tests.serve_app.site import Site, until_healthy
from tests.system.playground.browser import opened
from tests.system.playground.steps import (
    QUESTION,
    ask_sample,
    choose_sample,
    file,
    gradient,
    said,
    shown,
    url_of,
)

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


async def test_errors_are_told_in_the_servers_words(site: Site, page: "Page") -> None:
    await page.get_by_label("Question", exact=True).fill("what?")
    await page.get_by_role("button", name="Ask").click()
    await shown(page, "#picture-trouble", "Choose a picture first")
    await page.locator("#file").set_input_files(file("notes.txt", b"not a picture", "text/plain"))
    await shown(page, "#picture-trouble", r"cannot show notes\.txt as a picture")
    await page.locator("#file").set_input_files(file("tiny.png", gradient(2, 2)))
    await page.get_by_role("button", name="Ask").click()
    await shown(page, "#trouble", "The server did not take this question.*image_too_small")
    await choose_sample(page)
    site.generation.error = Overloaded("too many requests are waiting", retry_after_s=3)
    await page.get_by_role("button", name=QUESTION).click()
    await shown(
        page, "#trouble", "The server is busy.*Too many requests are waiting. Try again in 3 s.*overloaded"
    )
    site.generation.error, site.generation.words_before_error = ModelFault("the model failed on this"), 2
    await page.get_by_role("button", name=QUESTION).click()
    await shown(page, "#trouble", "It broke off.*The model failed on this.*model_fault")
    assert await said(page) == "what number"
    site.generation.error = None
    await ask_sample(page)
    assert await page.locator("#trouble").inner_text() == ""


async def test_a_connection_that_breaks_is_told(site: Site, page: "Page") -> None:
    await choose_sample(page)
    await page.route("**/stream_generate", lambda route: route.abort())
    await page.get_by_role("button", name=QUESTION).click()
    await shown(page, "#trouble", "No connection.*The server cannot be reached")
    await page.unroute("**/stream_generate")
    await page.route(
        "**/stream_generate", lambda route: route.fulfill(body='data: {"text": "wh"}\n\n')
    )  # and no [DONE]
    await page.get_by_role("button", name=QUESTION).click()
    await shown(page, "#trouble", "The connection broke before the answer was complete")
    assert await said(page) == "wh"


async def test_a_model_that_loads_is_waited_for(browser: "Browser", site: Site) -> None:
    site.generation.state = replace(READY, ready=False, detail="loading the model", visual_tokens=None)
    await until_healthy(site, 503)
    async with opened(browser, url_of(site)) as page:
        await shown(page, "#status", "loading the model")
        await choose_sample(page)
        await page.get_by_role("button", name=QUESTION).click()
        await shown(page, "#progress", "Waiting for the model: loading the model")
        assert site.texture.asks == []
        site.generation.state = READY
        await page.locator("#account").wait_for()
        assert await said(page) == QUESTION
        await shown(page, "#status", "fake · cpu · float32")
