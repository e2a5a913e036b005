"""The code that the page shows runs as it stands."""

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.serve_app.site import Site
from tests.system.playground.browser import opened
from tests.system.playground.steps import (
    QUESTION,
    SAMPLE,
    ask_again,
    ask_sample,
    file,
    paste,
    reply_to_sample,
    said,
    shown,
    url_of,
)

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


async def test_the_code_runs_as_it_is_shown(site: Site, page: "Page", tmp_path: Path) -> None:
    await ask_sample(page)
    expected = (await reply_to_sample(site))["total_visual_tokens"]
    await _assert_code_runs(page, tmp_path, QUESTION, expected)
    name, question = 'it\'s; a "picture", 1.png', 'what\'s "that"; type=a/b\n$HOME `x` \\ @y?'
    content = SAMPLE.read_bytes()
    (tmp_path / name).write_bytes(content)
    await page.locator("#file").set_input_files(file(name, content))
    await page.get_by_label("Question", exact=True).fill(question)
    await page.get_by_label("Visual token budget").press("Home")
    await ask_again(page)
    assert await said(page) == question
    expected = (await reply_to_sample(site, visual_token_budget="64"))["total_visual_tokens"]
    await _assert_code_runs(page, tmp_path, question, expected)


async def _assert_code_runs(page: "Page", directory: Path, answer: str, tokens: int) -> None:
    await page.get_by_role("radio", name="curl").check(force=True)
    told = await _output(directory, "bash", "-c", await page.locator("#code").inner_text())
    reply = json.loads(told)
    assert (reply["answer"], reply["total_visual_tokens"]) == (answer, tokens)
    await page.get_by_role("radio", name="Python").check(force=True)
    told = await _output(directory, sys.executable, "-c", await page.locator("#code").inner_text())
    assert told == f"{answer} for {tokens} visual tokens\n"


async def _output(directory: Path, *command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=directory, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0, errors.decode()
    return output.decode()


async def test_the_code_is_copied(browser: "Browser", site: Site) -> None:
    async with opened(browser, url_of(site), permissions=["clipboard-read", "clipboard-write"]) as page:
        await ask_sample(page)
        await page.get_by_role("button", name="Copy").click()
        await shown(page, "#copied", "Copied")
        copied = await page.evaluate("navigator.clipboard.readText()")
        assert copied == await page.locator("#code").text_content()


async def test_a_pasted_picture_can_be_saved_for_the_code(site: Site, page: "Page", tmp_path: Path) -> None:
    content = SAMPLE.read_bytes()
    await paste(page, content)
    await page.locator("#picture[alt$='pasted.png']").wait_for()
    await page.get_by_label("Question", exact=True).fill(QUESTION)
    await ask_again(page)
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Save the pasted picture").click()
    saved = await download.value
    assert saved.suggested_filename == "pasted.png"
    await saved.save_as(tmp_path / saved.suggested_filename)
    assert (tmp_path / "pasted.png").read_bytes() == content
    expected = (await reply_to_sample(site))["total_visual_tokens"]
    await _assert_code_runs(page, tmp_path, QUESTION, expected)
