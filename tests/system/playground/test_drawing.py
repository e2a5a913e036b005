"""What the page draws and tells is what the reply says."""

import base64
import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from tests.serve_app.site import Site
from tests.system.playground.pointing import PLACE
from tests.system.playground.steps import MAPS, QUESTION, SAMPLE, ask_sample, reply_to_sample, said

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


async def test_a_sample_is_asked_answered_and_accounted_for(site: Site, page: "Page") -> None:
    reply = await reply_to_sample(site)
    await ask_sample(page)
    assert await said(page) == QUESTION == reply["answer"]
    assert await page.locator("#tokens-sum").inner_text() == (
        f"{reply['total_visual_tokens']} spent, where native resolution costs {reply['native_visual_tokens']}: "
        f"{reply['native_visual_tokens'] / reply['total_visual_tokens']:.1f} times fewer"
    )
    patches = [
        f"Patch {name} {patch['tokens']}" for name, patch in zip("ABCD", reply["patches"], strict=False)
    ]
    rest = reply["native_visual_tokens"] - reply["total_visual_tokens"]
    key = await page.locator("#tokens-key li").all_inner_texts()
    assert key == [f"Overview {reply['overview']['tokens']}", *patches, f"Not spent {rest}"]
    stages = await page.locator("#stages .name").all_inner_texts()
    assert [stage.split()[0] for stage in stages] == [
        "Texture", "Queue", "Probe", "Relevance", "Prefill", "Decode"
    ]  # fmt: skip


async def test_patches_are_drawn_where_the_reply_has_them(site: Site, page: "Page") -> None:
    reply = await reply_to_sample(site)
    await ask_sample(page)
    frame = await page.locator("#frame").bounding_box()
    assert frame is not None
    assert await page.locator("#boxes .box").count() == len(reply["patches"]) >= 1
    for index, patch in enumerate(reply["patches"]):
        drawn = await page.locator("#boxes .box").nth(index).bounding_box()
        assert drawn is not None
        scale = frame["width"] / reply["image"]["width"]
        x0, y0, x1, y1 = (scale * edge for edge in patch["box"])
        got = (drawn["x"] - frame["x"], drawn["y"] - frame["y"], drawn["width"], drawn["height"])
        assert got == pytest.approx((x0, y0, x1 - x0, y1 - y0), abs=1)
    await page.get_by_label("Patches").uncheck()
    await page.locator("#boxes").wait_for(state="hidden")


async def test_each_way_of_knowing_is_shown_alone(site: Site, page: "Page") -> None:
    maps = (await reply_to_sample(site))["relevance"]
    await ask_sample(page)
    for name in MAPS:
        await page.get_by_role("radio", name=name).check(force=True)
        cells = np.array(maps[name])
        veil = np.array(await page.evaluate(_ALPHAS)).reshape(cells.shape)
        assert veil.max() > 128
        assert np.abs((1 - veil / (255 * 0.84)) - cells / cells.max()).max() < 0.02
    assert np.unravel_index(cells.argmax(), cells.shape) == tuple(
        int(share * length) for share, length in zip(PLACE, cells.shape, strict=True)
    )


_ALPHAS = """() => {
    const veil = document.getElementById("veil");
    const pixels = veil.getContext("2d").getImageData(0, 0, veil.width, veil.height).data;
    return [...pixels].filter((_, index) => index % 4 === 3);
}"""


async def test_what_the_model_sees_is_sharp_in_the_patches_alone(page: "Page") -> None:
    await ask_sample(page)
    await page.get_by_role("radio", name="As the model sees it").check(force=True)
    url: str = await page.evaluate("document.getElementById('seen').toDataURL()")
    seen = np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("L"), float)
    picture = np.asarray(Image.open(SAMPLE).convert("L"), float)
    box = await page.evaluate("""() => {
        const { left, top, width, height } = document.querySelector(".box").style;
        return [top, height, left, width].map((value) => parseFloat(value) / 100);
    }""")
    inside = np.zeros(picture.shape, bool)
    rows, cols = picture.shape
    y, x = round(box[0] * rows), round(box[2] * cols)
    inside[y + 4 : y + round(box[1] * rows) - 4, x + 4 : x + round(box[3] * cols) - 4] = True
    wrong = np.abs(seen - picture)
    assert wrong[inside].mean() < 0.5 < wrong[~inside].mean()
