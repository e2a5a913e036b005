"""Asks unseen questions about unseen scenes and counts right answers.

    python -m arr_coc.demo.evaluate                         in this process
    python -m arr_coc.demo.evaluate --url http://...:8000   over HTTP, 16 at a time
    python -m arr_coc.demo.evaluate --figure scene.png      draw what one request looked at

A command: nothing imports it.
"""

import argparse
import asyncio
import io
import json
import sys
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import httpx
from PIL import Image

from arr_coc.answers import Report
from arr_coc.decoding import PictureLimits
from arr_coc.demo.grading import Graded, is_right, summary, table
from arr_coc.demo.scenes import FIRST_HELD_OUT_SEED, KINDS, Question, questions, render, sample_scene
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.observer import Silent
from arr_coc.figure import Sight, draw
from arr_coc.model.config import ModelConfig
from arr_coc.model.precision import Quantization
from arr_coc.model.source import resolve
from arr_coc.profile import ModelProfile
from arr_coc.texture import TextureEncoder
from arr_coc.types import Ask, Sampling, TexturedPicture
from arr_coc.vlm import VisionLanguageModel

MAX_NEW_TOKENS = 64


@dataclass(frozen=True, slots=True)
class Reply:
    """What grading needs of an answer."""

    text: str
    route: str
    visual_tokens: int
    native_tokens: int


Asker = Callable[[bytes, str, int | None], Awaitable[Reply]]


def held_out(
    count: int, first: int, size: int | None, fine: bool, kinds: Collection[str] = KINDS
) -> list[tuple[bytes, Question]]:
    """Scenes as PNG bytes, once a question of these ``kinds``."""
    work = []
    for seed in range(first, first + count):
        scene = sample_scene(seed, size=size, fine=fine)
        asked = [question for question in questions(scene, seed) if question.kind in kinds]
        if not asked:
            continue
        png = io.BytesIO()
        render(scene).save(png, format="PNG", compress_level=1)
        work += [(png.getvalue(), question) for question in asked]
    return work


async def grade(
    ask: Asker, work: list[tuple[bytes, Question]], budget: int | None, concurrency: int
) -> list[Graded]:
    """Ask everything, ``concurrency`` at a time; order is kept."""
    turnstile = asyncio.Semaphore(concurrency)

    async def one(image: bytes, question: Question) -> Graded:
        async with turnstile:
            reply = await ask(image, question.text, budget)
        right = is_right(reply.text, question.answer)
        return Graded(question.kind, reply.route, reply.visual_tokens, reply.native_tokens, right)

    return await asyncio.gather(*(one(image, question) for image, question in work))


def over_http(client: httpx.AsyncClient) -> Asker:
    """Asks ``POST /vqa``."""

    async def ask(image: bytes, query: str, budget: int | None) -> Reply:
        form = {"query": query, "max_tokens": str(MAX_NEW_TOKENS)}
        if budget is not None:
            form["visual_token_budget"] = str(budget)
        response = await client.post("/vqa", data=form, files={"image": ("scene.png", image, "image/png")})
        response.raise_for_status()
        body = response.json()
        return Reply(body["answer"], body["route"], body["total_visual_tokens"], body["native_visual_tokens"])

    return ask


def in_process(vlm: VisionLanguageModel, encoder: TextureEncoder) -> Asker:
    """Asks a model in this process."""

    async def ask(image: bytes, query: str, budget: int | None) -> Reply:
        _, report = await _look(vlm, encoder, image, query, budget)
        return Reply(report.text, report.route, report.usage.visual_tokens, report.native_tokens)

    return ask


async def _look(
    vlm: VisionLanguageModel, encoder: TextureEncoder, image: bytes, query: str, budget: int | None
) -> tuple[TexturedPicture, Report]:
    picture = encoder.encode(image, budget)
    ask = Ask("evaluate", query, Sampling(max_new_tokens=MAX_NEW_TOKENS), budget, remaining_s=600.0)
    return picture, await vlm.answer(ask, picture)


async def _run(args: argparse.Namespace) -> list[Graded]:
    work = held_out(args.count, args.seed, args.size, args.fine, args.kinds)
    if args.url:
        async with httpx.AsyncClient(base_url=args.url, timeout=120) as client:
            return await grade(over_http(client), work, args.budget, args.concurrency)
    vlm, encoder = await asyncio.to_thread(_load, args)
    try:
        return await grade(in_process(vlm, encoder), work, args.budget, args.concurrency)
    finally:
        vlm.close()


async def _figure(args: argparse.Namespace) -> None:
    """Draw the first ``number`` question of the first held-out scene that is zoomed into."""
    vlm, encoder = await asyncio.to_thread(_load, args)
    work = held_out(args.count, args.seed, args.size or 1024, args.fine)
    image, question = next((i, q) for i, q in work if q.kind == "number")
    _, report = await _look(vlm, encoder, image, question.text, args.budget)
    with Image.open(io.BytesIO(image)) as scene:
        draw(scene.convert("RGB"), question.text, Sight.of(report)).save(args.figure)
    vlm.close()


def _load(args: argparse.Namespace) -> tuple[VisionLanguageModel, TextureEncoder]:
    config = ModelConfig(source=args.model, quantization=args.quantization)
    vlm = VisionLanguageModel.load(config, EngineConfig(), Silent())
    return vlm, TextureEncoder(ModelProfile.load(resolve(args.model)), PictureLimits())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m arr_coc.demo.evaluate", description="Count right answers."
    )
    parser.add_argument("--model", default="demo", help="demo or a model directory")
    parser.add_argument("--quantization", choices=get_args(Quantization), help="of the model's weights")
    parser.add_argument("--url", help="ask a running server instead of a model in this process")
    parser.add_argument("--count", type=int, default=100, help="scenes")
    parser.add_argument("--seed", type=int, default=FIRST_HELD_OUT_SEED, help="seed of the first scene")
    parser.add_argument("--size", type=int, help="longer side in pixels; 256-1,024 where left out")
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS, help="of questions")
    parser.add_argument("--fine", action="store_true", help="objects down to 2 %% of the side")
    parser.add_argument("--budget", type=int, help="visual_token_budget of every request")
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--figure", type=Path, help="draw one request's way into this PNG")
    return parser.parse_args()


def main() -> None:
    """Run the command."""
    args = _arguments()
    if args.figure:
        asyncio.run(_figure(args))
    else:
        figures = summary(asyncio.run(_run(args)))
        sys.stdout.write(table(figures) + "\n")
        if args.json:
            args.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
