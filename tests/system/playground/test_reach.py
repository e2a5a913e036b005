"""The page for everybody: by keyboard, on a phone, in the dark, without motion, read aloud."""

import asyncio
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from arr_coc.errors import ModelFault
from tests.serve_app.site import Site
from tests.system.playground.browser import opened
from tests.system.playground.steps import (
    MAPS,
    QUESTION,
    ask_sample,
    choose_sample,
    reply_to_sample,
    said,
    shown,
    url_of,
)

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


async def test_the_keyboard_alone_does_everything(site: Site, page: "Page") -> None:
    async def tab_to(selector: str) -> None:
        for _ in range(60):
            await page.keyboard.press("Tab")
            if await page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
                outline = await page.evaluate(_OUTLINE)
                assert outline >= 2, f"the focus on {selector} cannot be seen"
                return
        raise AssertionError(f"Tab never reaches {selector}")

    await tab_to("[data-choose]")
    await tab_to("#samples button")
    await page.keyboard.press("Enter")
    await page.locator("#suggestions button").first.wait_for()
    await tab_to("#query")
    await page.keyboard.type("what is it?")
    await page.keyboard.press("Enter")
    await page.locator("#account").wait_for()
    assert await said(page) == "what is it?"
    await tab_to("#copy")
    await tab_to("#code")
    await tab_to("#frame")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("ArrowDown")
    cells = (await reply_to_sample(site))["relevance"]["relevance"]
    row, col = np.unravel_index(np.argmax(cells), np.shape(cells))
    assert (await page.locator("#readout").inner_text()).startswith(
        f"Row {row + 2}, column {col + 1}: relevance {cells[row + 1][col]:.2f}"
    )
    await tab_to("[name=view]:checked")
    await page.keyboard.press("ArrowRight")
    assert await page.evaluate("document.querySelector('[name=view]:checked').value") == "propositional"
    await tab_to("#show-grid")
    await page.keyboard.press("Space")
    await page.locator("#grid").wait_for()
    await tab_to("#budget")
    await page.keyboard.press("ArrowRight")
    await tab_to("#budget-auto")
    assert await page.locator("#budget-auto").get_attribute("aria-pressed") == "false"


_OUTLINE = """() => {
    const focused = document.activeElement;
    const widths = [focused, focused.nextElementSibling].filter(Boolean)
        .map((element) => getComputedStyle(element))
        .map(({ outlineStyle, outlineWidth }) => (outlineStyle === "none" ? 0 : parseFloat(outlineWidth)));
    return Math.max(...widths);
}"""


@pytest.mark.parametrize("width", [375, 320])
async def test_nothing_scrolls_sideways_on_a_phone(browser: "Browser", site: Site, width: int) -> None:
    async with opened(browser, url_of(site), viewport={"width": width, "height": 800}) as page:
        overflow = "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
        assert await page.evaluate(overflow) == 0
        await ask_sample(page)
        for view in ("picture", "seen", *MAPS):
            await page.locator(f"[name=view][value={view}]").check(force=True)
            assert await page.evaluate(overflow) == 0
        await page.get_by_label("Question", exact=True).fill("x" * 300)
        await page.keyboard.press("Enter")
        await shown(page, "#said", "x" * 300)
        assert await page.evaluate(overflow) == 0


async def test_light_and_dark_follow_the_system(page: "Page") -> None:
    async def lightness(colour: str) -> float:
        value: str = await page.evaluate(f"getComputedStyle(document.body).{colour}")
        return sum(map(float, re.findall(r"[\d.]+", value)[:3])) / 3

    await page.emulate_media(color_scheme="light")
    assert await lightness("backgroundColor") > 230 > 60 > await lightness("color")
    await page.emulate_media(color_scheme="dark")
    assert await lightness("backgroundColor") < 40 < 200 < await lightness("color")


async def test_motion_is_only_for_those_who_want_it(browser: "Browser", site: Site) -> None:
    site.generation.before = asyncio.Event().wait
    running = "document.getAnimations().length"
    for wanted, moving in (("no-preference", True), ("reduce", False)):
        async with opened(browser, url_of(site), reduced_motion=wanted) as page:
            await choose_sample(page)
            await page.get_by_role("button", name=QUESTION).click()
            await shown(page, "#progress", "Looking")
            assert (await page.evaluate(running) > 0) == moving


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
async def test_axe_finds_nothing(browser: "Browser", site: Site, scheme: str, width: int) -> None:
    viewport = {"width": width, "height": 900}
    calm = {"color_scheme": scheme, "reduced_motion": "reduce"}  # a fading text has no contrast yet
    async with opened(browser, url_of(site), viewport=viewport, **calm) as page:
        await shown(page, "#status", "fake")
        await _assert_accessible(page)
        await ask_sample(page)
        for view in ("relevance", "seen"):
            await page.locator(f"[name=view][value={view}]").check(force=True)
            await _assert_accessible(page)
        site.generation.error = ModelFault("it failed")
        await page.get_by_role("button", name="Ask").click()
        await shown(page, "#trouble", "It failed")
        await _assert_accessible(page)


async def _assert_accessible(page: "Page") -> None:
    from axe_playwright_python.async_playwright import Axe

    found = (await Axe().run(page)).response["violations"]
    told = [(one["id"], one["impact"], [node["html"] for node in one["nodes"]]) for one in found]
    assert told == []
