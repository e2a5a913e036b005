"""What is asked: each mix as an endless, numbered row of requests that is the same for every peer.

Owns which pictures, questions and lengths of answers a mix has, and the file that its pictures lie in.
Knows neither servers nor load.
"""

import io
import itertools
import json
import random
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL.Image import Image

DESCRIBE = "describe the picture."
TOKENS = 32
MOST_TOKENS = 64
TIMES = 4  # that each picture of a repeated mix is asked about
TOGETHER = 16  # pictures that are asked about in turns
VARIANTS = 8  # of one scene, which differ in a corner pixel: other pictures to whoever keeps pictures

Pool = Literal["small", "mixed", "large"]
SCENES: dict[Pool, int] = {"small": 1500, "mixed": 1500, "large": 400}
_FIRST_SEED: dict[Pool, int] = {"small": 970_000, "mixed": 980_000, "large": 990_000}


@dataclass(frozen=True, slots=True)
class Request:
    """A picture (the bytes of a PNG), a question, and its right answer. ``forced`` answers have exactly
    ``max_tokens`` tokens, whatever the model would say."""

    picture: bytes
    query: str
    expected: str
    max_tokens: int
    forced: bool


@dataclass(frozen=True, slots=True)
class Mix:
    """One kind of traffic. ``lengths`` are the fewest and most tokens of a forced answer; None leaves the
    length to the model."""

    name: str
    model: str
    pool: Pool
    lengths: tuple[int, int] | None
    repeated: bool = False

    def max_tokens(self, index: int) -> int:
        """Of the request with this number."""
        if self.lengths is None:
            return MOST_TOKENS
        return random.Random(f"length {index}").randint(*self.lengths)

    def picture(self, index: int) -> int:
        """The number of the picture that this request is about."""
        if not self.repeated:
            return index
        block, place = divmod(index, TIMES * TOGETHER)
        order = [picture for picture in range(TOGETHER) for _ in range(TIMES)]
        random.Random(f"order {block}").shuffle(order)
        return block * TOGETHER + order[place]


_ALL = (
    Mix("unique", "demo", "small", (TOKENS, TOKENS)),
    Mix("repeated", "demo", "small", (TOKENS, TOKENS), repeated=True),
    Mix("lengths", "demo", "small", (1, MOST_TOKENS)),
    Mix("questions", "demo", "mixed", None),
    Mix("large", "demo", "large", None),
    Mix("unique-60m", "random-60m", "small", (TOKENS, TOKENS)),
    Mix("repeated-60m", "random-60m", "small", (TOKENS, TOKENS), repeated=True),
    Mix("lengths-60m", "random-60m", "small", (1, MOST_TOKENS)),
)
MIXES = {mix.name: mix for mix in _ALL}


class Requests:
    """The requests of a mix, by their numbers; after the last picture comes the first one again."""

    def __init__(self, mix: Mix, directory: Path) -> None:
        self._mix = mix
        self._file = zipfile.ZipFile(_path(directory, mix.pool))
        self._lines = [json.loads(line) for line in self._file.read("index.jsonl").splitlines()]

    def __getitem__(self, index: int) -> Request:
        line = self._lines[self._mix.picture(index) % len(self._lines)]
        return Request(
            picture=self._file.read(line["file"]),
            query=line["query"],
            expected=line["expected"],
            max_tokens=self._mix.max_tokens(index),
            forced=self._mix.lengths is not None,
        )


def draw(directory: Path, pool: Pool) -> None:
    """Write the pictures of ``pool`` into ``directory``, unless they lie there: scenes that no model was
    trained on, with a question each."""
    path = _path(directory, pool)
    if path.exists():
        return
    directory.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    with zipfile.ZipFile(draft, "w") as file:
        lines = []
        for number, (picture, query, expected) in enumerate(_drawn(pool)):
            file.writestr(f"{number}.png", picture)
            lines.append(json.dumps({"file": f"{number}.png", "query": query, "expected": expected}))
        file.writestr("index.jsonl", "\n".join(lines))
    draft.rename(path)


def _drawn(pool: Pool) -> Iterator[tuple[bytes, str, str]]:
    """Pictures with question and right answer; all scenes before the next variant of the first one."""
    from arr_coc.demo.scenes import ask, questions, render, sample_scene

    scenes: list[tuple[Image, str, str]] = []
    for seed in itertools.count(_FIRST_SEED[pool]):
        rng = random.Random(f"bench {seed}")
        size = {"small": 256, "mixed": rng.randrange(256, 577, 32), "large": 1024}[pool]
        scene = sample_scene(seed, size=size)
        asked = ask(scene, rng, "describe") if pool == "small" else rng.choice(questions(scene, seed))
        if asked:
            scenes.append((render(scene), DESCRIBE if pool == "small" else asked.text, asked.answer))
        if len(scenes) == SCENES[pool]:
            break
    for variant in range(VARIANTS if pool == "small" else 1):
        for picture, query, expected in scenes:
            picture.putpixel((0, 0), (variant, 0, 0))
            file = io.BytesIO()
            picture.save(file, format="PNG", compress_level=1)
            yield file.getvalue(), query, expected


def _path(directory: Path, pool: Pool) -> Path:
    return directory / f"{pool}.zip"
