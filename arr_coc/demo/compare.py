"""The same questions, looked at in different ways: what looking where the question points is worth.

    python -m arr_coc.demo.compare --size 1024 --count 40

Ways: ``ours``; ``oracle``, a patch around the asked object instead of the chosen one; ``overview``,
no patch; ``downsampled``, no patch and as many tokens as ours; ``native`` where the model's
training allows it. A command: nothing imports it.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

import numpy as np

from arr_coc.decoding import PictureLimits
from arr_coc.demo.evaluate import MAX_NEW_TOKENS, held_out
from arr_coc.demo.grading import Graded, is_right, summary, table
from arr_coc.demo.scenes import FIRST_HELD_OUT_SEED, Question
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.observer import Silent
from arr_coc.foveation import patch_budget
from arr_coc.model.config import ModelConfig
from arr_coc.model.loading import load
from arr_coc.model.source import resolve
from arr_coc.profile import ModelProfile
from arr_coc.texture import TextureEncoder
from arr_coc.types import (
    Allocation,
    Ask,
    Balance,
    Box,
    Floats,
    Grid,
    Patch,
    Sampling,
    Scores,
    TexturedPicture,
)
from arr_coc.vlm import VisionLanguageModel
from arr_coc.zooming import Allocator

CONCURRENCY = 8
WHOLE = ("overview", "downsampled")
Work = list[tuple[bytes, Question]]


class Oracle:
    """Looks closer at boxes that it was told: the best that any allocation could do."""

    def __init__(self, side: int) -> None:
        self._side = side
        self._asked: dict[int, Box] = {}

    def tell(self, picture: TexturedPicture, box: Box) -> None:
        """The asked object's box for the request about this very ``picture``."""
        self._asked[id(picture)] = box

    def allocate(self, picture: TexturedPicture, attention: Floats | None) -> Allocation:
        """One square patch around the told box, with as many tokens as fit budget and native detail."""
        cells = np.zeros((picture.grid.rows, picture.grid.cols), dtype=np.float32)
        patches = self._patches(picture, self._asked[id(picture)])
        return Allocation(patches, Balance(0.0, 0.0, 1.0), cells, np.stack([cells] * 3))

    def _patches(self, picture: TexturedPicture, box: Box) -> tuple[Patch, ...]:
        budget = patch_budget(picture.route, picture.budget, picture.grid)
        if not budget:
            return ()
        wanted = max(box.width, box.height) * 1.1
        n = min(int(budget**0.5), 20, max(8, round(wanted / self._side)))
        across = min(max(wanted, n * self._side), picture.width, picture.height)
        x = min(max(0.0, (box.x0 + box.x1 - across) / 2), picture.width - across)
        y = min(max(0.0, (box.y0 + box.y1 - across) / 2), picture.height - across)
        place = Box(x, y, x + across, y + across)
        return (Patch(place, Grid(n, n), Scores(0.0, 0.0, 1.0, 1.0), 1.0),)


def ways(profile: ModelProfile) -> dict[str, ModelProfile]:
    """Each way of looking as a profile; ``oracle`` differs from ``ours`` by its allocator alone, and
    ``WHOLE`` ways spend all of a tier's tokens on one view."""
    overviews = tuple(
        tier.model_copy(update={"total_tokens": tier.overview_tokens}) for tier in profile.tiers
    )
    return {
        "ours": profile,
        "oracle": profile,
        "overview": profile.model_copy(update={"tiers": overviews}),
        "downsampled": profile,
        "native": profile.model_copy(update={"direct_max_tokens": profile.native_max_tokens}),
    }


async def look(way: str, directory: Path, profile: ModelProfile, work: Work) -> list[Graded]:
    """Ask everything in one way. Questions that no patch can help ``oracle`` with keep the served one."""
    oracle = Oracle(profile.token_side)
    allocator: Allocator | None = oracle if way == "oracle" else None
    adapter = await asyncio.to_thread(load, directory, ModelConfig())
    vlm = VisionLanguageModel(adapter, profile, EngineConfig(max_length=2048), Silent(), allocator)
    encoder, turnstile = TextureEncoder(profile, PictureLimits()), asyncio.Semaphore(CONCURRENCY)

    async def one(image: bytes, question: Question) -> Graded:
        async with turnstile:
            picture = encoder.encode(image, None, closer=way not in WHOLE)
            oracle.tell(picture, question.box)
            ask = Ask("compare", question.text, Sampling(max_new_tokens=MAX_NEW_TOKENS), remaining_s=600.0)
            report = await vlm.answer(ask, picture)
        right, spent = is_right(report.text, question.answer), report.usage.visual_tokens
        return Graded(question.kind, report.route, spent, report.native_tokens, right)

    try:
        return await asyncio.gather(*(one(*item) for item in work))
    finally:
        vlm.close()


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m arr_coc.demo.compare", description=__doc__)
    parser.add_argument("--model", default="demo", help="demo or a model directory")
    parser.add_argument("--count", type=int, default=40, help="scenes")
    parser.add_argument("--seed", type=int, default=FIRST_HELD_OUT_SEED)
    parser.add_argument("--size", type=int, default=1024, help="longer side in pixels")
    parser.add_argument("--ways", nargs="+", help="some of the ways")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    directory = resolve(args.model)
    known = ways(ModelProfile.load(directory))
    work = held_out(args.count, args.seed, args.size, fine=False)
    figures = {}
    for way in args.ways or known:
        figures[way] = summary(asyncio.run(look(way, directory, known[way], work)))
        sys.stdout.write(f"\n## {way}\n{table(figures[way])}\n")
        sys.stdout.flush()
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
