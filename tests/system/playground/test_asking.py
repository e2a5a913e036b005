"""From a picture and a question to an answer, or to none: all ways in and out."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.serve_app.site import Site, until
from tests.system.playground.steps import (
    QUESTION,
    ask_again,
    ask_sample,
    choose_sample,
    drop,
    file,
    gradient,
    paste,
    reply_to_sample,
    said,
    shown,
)

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


async def test_the_answer_is_shown_as_it_is_written(site: Site, page: "Page") -> None:
    words: asyncio.Queue[None] = asyncio.Queue()
    site.generation.before = words.get
    await choose_sample(page)
    await page.get_by_label("Question", exact=True).fill("one two three")
    await page.keyboard.press("Enter")
    await shown(page, "#progress", "Looking")
    for written in ("one", "one two", "one two three"):
        words.put_nowait(None)
        await shown(page, "#said", f"^{written}$")
    await page.locator("#account").wait_for()
    assert await page.locator("#said").get_attribute("aria-live") == "polite"


@pytest.mark.parametrize("way", ["button", "Escape", "another picture"])
async def test_cancelling_ends_the_request_on_the_server_too(site: Site, page: "Page", way: str) -> None:
    site.generation.before = asyncio.Event().wait
    await choose_sample(page)
    await page.get_by_role("button", name=QUESTION).click()
    await until(lambda: site.generation.asks)
    if way == "button":
        await page.get_by_role("button", name="Cancel").click()
    elif way == "Escape":
        await page.keyboard.press("Escape")
    else:
        await choose_sample(page, 1)
    await asyncio.wait_for(site.generation.cancelled.wait(), 5)
    await page.get_by_role("button", name="Cancel").wait_for(state="hidden")
    if way != "another picture":
        assert await page.locator("#progress").inner_text() == "Cancelled."
    site.generation.before = asyncio.sleep.__get__(0)
    await ask_sample(page)
    assert await said(page) == QUESTION


async def test_a_newer_question_takes_over(site: Site, page: "Page") -> None:
    site.generation.before = asyncio.Event().wait
    await choose_sample(page)
    await page.get_by_role("button", name=QUESTION).click()
    await until(lambda: site.generation.asks)
    site.generation.before = asyncio.sleep.__get__(0)
    await page.get_by_label("Question", exact=True).fill("and now?")
    await page.keyboard.press("Enter")
    await page.locator("#account").wait_for()
    assert await said(page) == "and now?"
    assert await page.locator("#progress").inner_text() == ""


async def test_a_picture_comes_from_a_file_adrop_or_the_clipboard(site: Site, page: "Page") -> None:
    ways = ((_pick, "a picture.png"), (drop, "dropped.png"), (paste, "pasted.png"))
    for index, (bring, name) in enumerate(ways):
        content = gradient(320 + 32 * index, 320)
        await bring(page, content)
        await page.locator(f"#picture[alt$='{name}']").wait_for()
        await page.get_by_label("Question", exact=True).fill("what?")
        await page.get_by_role("button", name="Ask").click()
        await page.locator("#account").wait_for()
        assert site.texture.images[-1] == content
        assert "seen whole" in await page.locator("#tokens-sum").inner_text()
        assert await page.locator("#boxes .box").count() == 0
        assert await page.get_by_role("radio", name="Relevance").is_hidden()


async def _pick(page: "Page", content: bytes) -> None:
    async with page.expect_file_chooser() as chooser:
        await page.get_by_role("button", name="choose a file").click()
    await (await chooser.value).set_files(file("a picture.png", content))


async def test_the_budget_is_automatic_until_the_slider_moves(site: Site, page: "Page") -> None:
    await ask_sample(page)
    assert site.texture.asks[-1].visual_token_budget is None
    slider = page.get_by_label("Visual token budget")
    await slider.press("End")
    assert await page.locator("#budget-said").inner_text() == "all 768, native resolution"
    await ask_again(page)
    assert site.texture.asks[-1].visual_token_budget == 768
    assert "seen whole" in await page.locator("#tokens-sum").inner_text()
    await slider.press("Home")
    assert await page.locator("#budget-said").inner_text() == "at most 64 of 768"
    await ask_again(page)
    assert site.texture.asks[-1].visual_token_budget == 64
    spent = (await reply_to_sample(site, visual_token_budget="64"))["total_visual_tokens"]
    assert await page.locator("#tokens-sum strong").inner_text() == str(spent)
    await page.get_by_role("button", name="Automatic").click()
    await ask_again(page)
    assert site.texture.asks[-1].visual_token_budget is None


async def test_events_may_be_cut_anywhere(page: "Page") -> None:
    told = await page.evaluate("""async () => {
        const { events } = await import("/playground/sse.js");
        const text = ': note\\n\\ndata: {"text": "ä\\u2028€"}\\r\\n\\r\\nevent: error\\ndata: a\\ndata:b\\n\\ndata: cut';
        const bytes = [...new TextEncoder().encode(text)];
        const stream = new ReadableStream({
            pull(controller) {
                if (bytes.length) controller.enqueue(new Uint8Array([bytes.shift()]));
                else controller.close();
            },
        });
        const all = [];
        for await (const event of events(stream)) all.push(event);
        return all;
    }""")
    assert told == [
        {"name": "message", "data": '{"text": "ä\u2028€"}'},
        {"name": "error", "data": "a\nb"},
    ]
