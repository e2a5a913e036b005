"""The exam of generated scenes: sizes that the demo model was trained on, and larger ones.

Owns which scenes are asked about. Scenes are never trained on, and calibration has others.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count as count_from

from arr_coc.demo.grading import is_right
from arr_coc.demo.scenes import (
    FIRST_HELD_OUT_SEED,
    Question,
    Scene,
    questions,
    render,
    sample_scene,
)
from arr_coc.quality.exam import Exam, Item, Paper


@dataclass(frozen=True, slots=True)
class Mix:
    """Scenes of one size: ``side`` is the longer one in pixels, drawn from 256..1,024 where None.

    Of any aspect, unless ``square``.
    """

    side: int | None
    fine: bool = False
    square: bool = False

    def scene(self, seed: int) -> Scene | None:
        """The scene of a seed; None where it is none of this mix."""
        scene = sample_scene(seed, size=self.side, fine=self.fine)
        return None if self.square and scene.width != scene.height else scene


MIXES: Mapping[str, Mix] = {
    "256-1024 px": Mix(None),
    "1024 px": Mix(1024, square=True),  # 1,024 native tokens each
    "1024 px, any aspect": Mix(1024),
    "2048 px": Mix(2048),
    "4096 px": Mix(4096),
    "2048 px fine": Mix(2048, fine=True),
    "4096 px fine": Mix(4096, fine=True),
}
READING = ("number", "word")
"""Kinds of questions about small print."""
WHOLE = ("count", "relation", "exists", "describe")
"""Kinds of questions that zooming cannot help: about the whole picture, or two objects' places."""


def scenes_exam(count: int, mixes: Sequence[str], first_seed: int = FIRST_HELD_OUT_SEED) -> Exam:
    """``count`` scenes of each mix, taken in turn, so that a run cut short has something of all."""

    def papers() -> Iterator[Paper]:
        sources = [_papers(name, first_seed) for name in mixes]
        for _ in range(count):
            yield from map(next, sources)

    return Exam("scenes", _mark, papers)


def _papers(name: str, first_seed: int) -> Iterator[Paper]:
    """Those of a mix, without end."""
    for seed in count_from(first_seed):
        scene = MIXES[name].scene(seed)
        if scene is not None:
            yield _paper(name, seed, scene)


def _mark(answer: str, accepted: Sequence[str]) -> float:
    return float(any(is_right(answer, right) for right in accepted))


def _paper(name: str, seed: int, scene: Scene) -> Paper:
    paper = f"{name} {seed}"
    items = [_item(f"{paper} {n}", scene, asked) for n, asked in enumerate(questions(scene, seed))]
    return Paper(paper, name, partial(png, scene), tuple(items))


def _item(name: str, scene: Scene, asked: Question) -> Item:
    things = [scene.objects[index] for index in asked.targets]
    return Item(
        id=name,
        kind=asked.kind,
        text=asked.text,
        answers=(asked.answer,),
        targets=tuple(thing.box for thing in things) or (scene.box,),
        print_height=things[0].print_height if asked.kind in READING else 0.0,
    )


def png(scene: Scene) -> bytes:
    """The picture of ``scene`` as it would be uploaded."""
    file = io.BytesIO()
    render(scene).save(file, format="PNG", compress_level=1)
    return file.getvalue()
