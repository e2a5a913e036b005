"""Draws how one question is answered, for the documentation: ``ways.png`` and ``request.png``.

    python -m arr_coc.demo.figures --out docs

A command: nothing imports it.
"""

import argparse
import asyncio
import io
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from arr_coc.answers import Report
from arr_coc.decoding import PictureLimits
from arr_coc.demo.scenes import FIRST_HELD_OUT_SEED, render, sample_scene
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.observer import Silent
from arr_coc.model.config import ModelConfig
from arr_coc.model.source import resolve
from arr_coc.profile import ModelProfile
from arr_coc.texture import TextureEncoder
from arr_coc.types import Allocation, Ask, Sampling, TexturedPicture
from arr_coc.vlm import VisionLanguageModel

SEED, SIDE = FIRST_HELD_OUT_SEED + 3, 1024
QUESTION = "What number is on the white cross?"
BUDGETS = (208, 1024)  # visual tokens: an overview and one patch; the picture at its native resolution
ROUNDS = 9
STAGES = ("texture", "queue", "probe", "relevance", "prefill", "decode")  # in their order; the rest are sums
_WAYS = (
    "propositional: how much there is",
    "perspectival: what stands out",
    "participatory: what is asked for",
)


@dataclass(frozen=True, slots=True)
class Look:
    """A question asked once: what the model was shown, and what came of it."""

    picture: TexturedPicture
    report: Report

    @property
    def label(self) -> str:
        way = "overview and patch" if self.report.allocation else "native resolution"
        return f"{way}, {self.report.usage.visual_tokens} visual tokens: {self.report.text}"


def draw_ways(picture: TexturedPicture, allocation: Allocation) -> Figure:
    """What the model saw first, the three ways of knowing over it, and their balance with the patches taken."""
    figure = Figure(figsize=(13, 3.1), layout="constrained")
    panels = figure.subplots(1, 5)
    extent = (0, picture.width, picture.height, 0)
    panels[0].imshow(picture.view, extent=extent)
    panels[0].set_title(f"overview, {picture.grid.tokens} tokens", fontsize=9)
    weights = allocation.balance
    shares = (weights.propositional, weights.perspectival, weights.participatory)
    for panel, cells, way, share in zip(panels[1:], allocation.knowing, _WAYS, shares, strict=False):
        panel.imshow(cells, extent=extent, vmin=0, vmax=1)
        panel.set_title(f"{way}, {share:.0%}", fontsize=9)
    panels[4].imshow(allocation.relevance, extent=extent, vmin=0, vmax=1)
    panels[4].set_title(f"their balance; {sum(p.tokens for p in allocation.patches)} tokens more", fontsize=9)
    for patch in allocation.patches:
        corner = (patch.box.x0, patch.box.y0)
        panels[4].add_patch(Rectangle(corner, patch.box.width, patch.box.height, fill=False, edgecolor="red"))
    for panel in panels:
        panel.set(xticks=[], yticks=[])
    return figure


def draw_request(rows: Mapping[str, Mapping[str, float]]) -> Figure:
    """Milliseconds of each of ``STAGES``, one after the other, in a row for each way to answer."""
    figure = Figure(figsize=(10, 1.1 + 0.6 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for colour, stage in enumerate(STAGES):
        before = [sum(row.get(each, 0.0) for each in STAGES[:colour]) for row in rows.values()]
        widths = [row.get(stage, 0.0) for row in rows.values()]
        axes.barh(list(rows), widths, left=before, color=f"C{colour}", label=stage)
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds, one request alone")
    axes.legend(ncols=len(STAGES), fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1))
    return figure


async def _looks(vlm: VisionLanguageModel, encoder: TextureEncoder) -> dict[int, list[Look]]:
    """Looks at each budget, taken in turns, so that a busy moment falls on all of them."""
    file = io.BytesIO()
    render(sample_scene(SEED, size=SIDE)).save(file, format="PNG", compress_level=1)
    looks: dict[int, list[Look]] = {budget: [] for budget in BUDGETS}
    for budget in BUDGETS * ROUNDS:
        picture = encoder.encode(file.getvalue(), budget)
        ask = Ask("figure", QUESTION, Sampling(max_new_tokens=64), budget, remaining_s=600.0)
        looks[budget].append(Look(picture, await vlm.answer(ask, picture)))
    return looks


def _median(looks: Sequence[Look]) -> dict[str, float]:
    timings = [look.report.timings_ms for look in looks]
    return {
        stage: statistics.median(each[stage] for each in timings) for stage in STAGES if stage in timings[0]
    }


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m arr_coc.demo.figures", description="Draw the figures.")
    parser.add_argument("--out", type=Path, required=True, help="directory to write into")
    out: Path = parser.parse_args().out
    nothing_kept = EngineConfig(shared_mib=0)  # else only the first of the rounds would see the picture
    vlm = VisionLanguageModel.load(ModelConfig(source="demo", device="cpu"), nothing_kept, Silent())
    encoder = TextureEncoder(ModelProfile.load(resolve("demo")), PictureLimits())
    try:
        looks = asyncio.run(_looks(vlm, encoder))
    finally:
        vlm.close()
    closer = looks[BUDGETS[0]][0]
    assert closer.report.allocation is not None, "a picture of this size is looked at closer"
    draw_ways(closer.picture, closer.report.allocation).savefig(out / "ways.png", dpi=110)
    rows = {some[0].label: _median(some) for some in looks.values()}
    draw_request(rows).savefig(out / "request.png", dpi=110)


if __name__ == "__main__":
    main()
