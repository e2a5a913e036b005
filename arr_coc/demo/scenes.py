"""Synthetic scenes with ground truth, which the demo model learns from and is judged by.

The public face of the scene modules, and the command that writes pictures and questions:
``python -m arr_coc.demo.scenes --count N --seed S --out DIR [--size PX] [--fine]``.
"""

import argparse
import json
import sys
from pathlib import Path

from arr_coc.demo.asking import ask, questions
from arr_coc.demo.drawing import render
from arr_coc.demo.sampling import SMALLEST_SIDE, sample_scene
from arr_coc.demo.world import (
    COLORS,
    FIRST_HELD_OUT_SEED,
    KINDS,
    SHAPES,
    Glyph,
    Question,
    Scene,
    SceneObject,
)

__all__ = [
    "COLORS",
    "FIRST_HELD_OUT_SEED",
    "KINDS",
    "SHAPES",
    "Glyph",
    "Question",
    "Scene",
    "SceneObject",
    "ask",
    "questions",
    "render",
    "sample_scene",
    "write_scenes",
]


def write_scenes(out: Path, count: int, seed: int, size: int | None = None, fine: bool = False) -> int:
    """Write ``count`` PNGs and ``questions.jsonl`` into ``out``; scene i has seed ``seed + i``.

    A line is one question: {"image", "question", "answer", "kind", "box": [x0, y0, x1, y1]}, the box in
    pixels. Returns the number of questions.
    """
    out.mkdir(parents=True, exist_ok=True)
    lines = []
    for scene_seed in range(seed, seed + count):
        scene = sample_scene(scene_seed, size=size, fine=fine)
        name = f"scene-{scene_seed}.png"
        render(scene).save(out / name)
        lines += [_line(name, question) for question in questions(scene, scene_seed)]
    (out / "questions.jsonl").write_text("".join(lines), encoding="utf-8")
    return len(lines)


def _line(image: str, question: Question) -> str:
    record = {
        "image": image,
        "question": question.text,
        "answer": question.answer,
        "kind": question.kind,
        "box": [round(edge, 1) for edge in question.box.as_tuple()],
    }
    return json.dumps(record) + "\n"


def _main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m arr_coc.demo.scenes", description="Write scenes and questions."
    )
    parser.add_argument("--count", type=int, required=True, help="number of pictures")
    parser.add_argument("--seed", type=int, default=FIRST_HELD_OUT_SEED, help="of the first picture")
    parser.add_argument("--out", type=Path, required=True, help="directory to write into")
    parser.add_argument("--size", type=int, help="longer side in pixels (default: drawn from 256..1024)")
    parser.add_argument("--fine", action="store_true", help="objects down to 2 %% of the shorter side")
    given = parser.parse_args()
    if given.count < 1:
        parser.error("--count must be at least 1")
    if given.size is not None and given.size < SMALLEST_SIDE:
        parser.error(f"--size must be at least {SMALLEST_SIDE}")
    written = write_scenes(given.out, given.count, given.seed, given.size, given.fine)
    sys.stdout.write(f"{given.count} pictures, {written} questions in {given.out}\n")


if __name__ == "__main__":
    _main()
