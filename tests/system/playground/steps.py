"""What a user does on the page, and what is then awaited."""

import io
import re
from typing import TYPE_CHECKING, Any

from PIL import Image

from serve_app.playground.assets import STATIC
from tests.serve_app.site import Site

if TYPE_CHECKING:
    from playwright.async_api import Page

SAMPLE = STATIC / "samples" / "scene-900249.png"
QUESTION = "what number is on the black cross?"
MAPS = ("relevance", "propositional", "perspectival", "participatory")


def url_of(site: Site) -> str:
    """Where the page is."""
    return f"http://127.0.0.1:{site.port}/"


async def choose_sample(page: "Page", index: int = 0) -> None:
    """A sample, loaded."""
    button = page.locator("#samples button").nth(index)
    await button.click()
    await page.locator("#samples button[aria-pressed=true]").and_(button).wait_for()


async def ask_sample(page: "Page") -> None:
    """The first suggestion about the first sample, answered."""
    await choose_sample(page)
    await page.get_by_role("button", name=QUESTION).click()
    await page.locator("#account").wait_for()


async def ask_again(page: "Page") -> None:
    """The question that stands there, answered."""
    await page.get_by_role("button", name="Ask").click()
    await page.locator("#progress", has_text="Looking").wait_for(state="hidden")
    await page.locator("#account").wait_for()


async def said(page: "Page") -> str:
    """The answer."""
    return await page.locator("#said").inner_text()


async def shown(page: "Page", selector: str, text: str) -> None:
    """Waits until the pattern ``text`` is in an element; its parts may be on lines of their own."""
    await page.locator(selector, has_text=re.compile(text, re.DOTALL)).wait_for()


async def reply_to_sample(site: Site, **fields: str) -> dict[str, Any]:
    """What the server replies to what ``ask_sample`` asks."""
    data = {"query": QUESTION, "explain": "true", **fields}
    response = await site.client.post("/vqa", data=data, files={"image": SAMPLE.read_bytes()})
    reply: dict[str, Any] = response.json()
    return reply


def gradient(width: int, height: int) -> bytes:
    """A picture as PNG."""
    written = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).save(written, "PNG")
    return written.getvalue()


def file(name: str, content: bytes, media_type: str = "image/png") -> Any:
    """A file as a file chooser gives it."""
    return {"name": name, "mimeType": media_type, "buffer": content}


async def drop(page: "Page", content: bytes) -> None:
    """``dropped.png`` from the desktop."""
    await _transfer(
        page, content, "new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })"
    )


async def paste(page: "Page", content: bytes) -> None:
    """A picture from the clipboard."""
    await _transfer(page, content, "new ClipboardEvent('paste', { clipboardData: data, bubbles: true })")


async def _transfer(page: "Page", content: bytes, event: str) -> None:
    await page.evaluate(
        f"""(bytes) => {{
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "dropped.png", {{ type: "image/png" }}));
            document.body.dispatchEvent({event});
        }}""",
        list(content),
    )
