"""Scenes keep what they promise: geometry, print, and questions with one right answer."""

import json
import random
import re
from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from arr_coc.demo.scenes import (
    COLORS,
    KINDS,
    SHAPES,
    Question,
    Scene,
    SceneObject,
    ask,
    questions,
    render,
    sample_scene,
    write_scenes,
)
from arr_coc.demo.words import COMMON_WORDS
from arr_coc.demo.world import SPOTS
from arr_coc.errors import ConfigError
from arr_coc.types import Box

SEEDS = st.integers(0, 10**7)
SIZES = st.one_of(st.none(), st.integers(256, 2048))
MANY = [sample_scene(seed) for seed in range(300)]


def fits(thing: SceneObject, phrase: str) -> bool:
    """Whether a phrase's colours and shapes fit an object."""
    colors = [word for word in phrase.split() if word in COLORS]
    shapes = [shape for shape in SHAPES if shape in phrase]
    return colors in ([], [thing.color]) and shapes in ([], [thing.shape])


def changed(before: Scene, after: Scene) -> Box:
    """The box of the pixels that differ."""
    old, new = (np.asarray(render(scene), np.int16) for scene in (before, after))
    different = np.abs(old - new).max(axis=2) > 24
    rows, columns = np.flatnonzero(different.any(axis=1)), np.flatnonzero(different.any(axis=0))
    return Box(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def assert_close(a: Box, b: Box, within: float) -> None:
    """Fail where an edge is off by more than ``within`` pixels."""
    assert np.allclose(a.as_tuple(), b.as_tuple(), atol=within), (a, b)


# --- what is in a scene -----------------------------------------------------------------------------------


@given(seed=SEEDS, size=SIZES, fine=st.booleans())
@settings(max_examples=150, deadline=None)
def test_objects_stay_apart_and_inside(seed: int, size: int | None, fine: bool) -> None:
    scene = sample_scene(seed, size=size, fine=fine)
    assert min(scene.width, scene.height) >= 256
    assert max(scene.width, scene.height) == size or (size is None and max(scene.width, scene.height) <= 1024)
    assert 2 <= len(scene.objects) <= 12
    for thing in scene.objects:
        assert 0 <= thing.box.x0 < thing.box.x1 <= scene.width
        assert 0 <= thing.box.y0 < thing.box.y1 <= scene.height
    for a, b in combinations([thing.box for thing in scene.objects], 2):
        assert a.x1 < b.x0 or b.x1 < a.x0 or a.y1 < b.y0 or b.y1 < a.y0


@given(seed=SEEDS, size=st.integers(256, 2048), fine=st.booleans())
@settings(max_examples=100, deadline=None)
def test_sizes_are_what_they_should_be(seed: int, size: int, fine: bool) -> None:
    scene = sample_scene(seed, size=size, fine=fine)
    side = min(scene.width, scene.height)
    least = max(0.02 * side, 24) if fine else max(0.06 * side, 40)
    for thing in scene.objects:
        assert least - 1e-6 <= thing.across <= side * (0.3 if side < 512 else 0.2) * 1.01
        if thing.print is not None:
            assert 11.8 <= thing.print_height <= 34.2
            assert re.fullmatch("[0-9]{2}|[A-Z]{3}", thing.print)
            assert "".join(glyph.char for glyph in thing.glyphs) == thing.print
            assert all(_holds(thing.box, glyph.box) for glyph in thing.glyphs)


def _holds(outer: Box, inner: Box) -> bool:
    return outer.x0 <= inner.x0 and outer.y0 <= inner.y0 and inner.x1 <= outer.x1 and inner.y1 <= outer.y1


def test_fine_scenes_have_smaller_objects() -> None:
    smallest = [min(t.across for t in sample_scene(s, size=2048, fine=True).objects) for s in range(40)]
    assert min(smallest) < 0.03 * 2048
    assert np.median(smallest) < np.median(
        [min(t.across for t in sample_scene(s, size=2048).objects) for s in range(40)]
    )


def test_print_is_common_and_its_words_are_often_random() -> None:
    things = [thing for scene in MANY for thing in scene.objects]
    prints = [thing.print for thing in things if thing.print is not None]
    words = [text for text in prints if not text.isdigit()]
    assert len(prints) > 0.6 * len(things)
    assert 0.35 < len(words) / len(prints) < 0.65
    assert 0.4 < sum(word not in COMMON_WORDS for word in words) / len(words) < 0.7
    assert len({thing.font for thing in things}) == 3
    assert 0.2 < np.mean([thing.plate is None for thing in things if thing.print]) < 0.6


def test_some_scenes_have_few_colors_or_few_shapes() -> None:
    large = [scene for scene in MANY if len(scene.objects) >= 6]
    few_colors = sum(len({t.color for t in s.objects}) <= 3 for s in large) / len(large)
    few_shapes = sum(len({t.shape for t in s.objects}) <= 3 for s in large) / len(large)
    assert 0.1 < few_colors < 0.4
    assert 0.1 < few_shapes < 0.4


def test_objects_stand_out_from_the_background() -> None:
    distances = [
        np.linalg.norm(np.subtract(thing.rgb, scene.background)) for scene in MANY for thing in scene.objects
    ]
    assert min(distances) > 50


def test_a_side_below_the_smallest_is_refused() -> None:
    with pytest.raises(ConfigError, match="256"):
        sample_scene(0, size=255)


# --- pixels -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_boxes_are_where_the_pixels_are(seed: int) -> None:
    scene = sample_scene(seed, size=512)
    for index, thing in enumerate(scene.objects):
        bare = replace(thing, print=None)
        without = scene.objects[:index] + scene.objects[index + 1 :]
        shape = changed(replace(scene, objects=(*without, bare)), replace(scene, objects=without))
        assert_close(shape, thing.box, 1.6)


@pytest.mark.parametrize("seed", range(6))
def test_glyph_boxes_are_where_the_ink_is(seed: int) -> None:
    scene = sample_scene(seed, size=512)
    for index, thing in enumerate(scene.objects):
        if not thing.glyphs:
            continue
        without = scene.objects[:index] + scene.objects[index + 1 :]
        inkless = replace(thing, ink=thing.plate or thing.rgb)
        ink = changed(replace(scene, objects=(*without, thing)), replace(scene, objects=(*without, inkless)))
        boxes = [glyph.box for glyph in thing.glyphs]
        union = Box(
            min(b.x0 for b in boxes),
            min(b.y0 for b in boxes),
            max(b.x1 for b in boxes),
            max(b.y1 for b in boxes),
        )
        assert_close(ink, union, 1.6 + (0.12 * thing.print_height if thing.angle else 0.0))
        assert [box.x0 for box in boxes] == sorted(box.x0 for box in boxes)


def test_the_cap_height_is_in_pixels() -> None:
    flat = [t for s in MANY for t in s.objects if t.print and t.print[0] in "HITEX" and t.angle == 0]
    assert flat
    for thing in flat:
        assert thing.glyphs[0].box.height == pytest.approx(thing.print_height, abs=0.8)


@pytest.mark.parametrize("texture", ["plain", "gradient", "noise"])
def test_rendering_is_repeatable(texture: str) -> None:
    scene = replace(sample_scene(11), texture=texture)
    picture = render(scene)
    assert (picture.size, picture.mode) == ((scene.width, scene.height), "RGB")
    assert picture.tobytes() == render(replace(sample_scene(11), texture=texture)).tobytes()


# --- questions --------------------------------------------------------------------------------------------


def asked(kind: str) -> list[tuple[Scene, Question]]:
    """A question of ``kind`` about each scene that allows one."""
    found = [(scene, ask(scene, random.Random(seed), kind)) for seed, scene in enumerate(MANY)]
    return [(scene, question) for scene, question in found if question is not None]


@pytest.mark.parametrize("kind", KINDS)
def test_references_fit_one_object_only(kind: str) -> None:
    pairs = asked(kind)
    assert len(pairs) > 0.3 * len(MANY)
    for scene, question in pairs:
        assert question.kind == kind
        assert len(question.targets) == len(question.mentions)
        for target, (start, end) in zip(question.targets, question.mentions, strict=True):
            phrase = question.text[start:end]
            spot = next((spot for spot in SPOTS if phrase.endswith(spot)), None)
            if spot is None:
                assert [i for i, t in enumerate(scene.objects) if fits(t, phrase)] == [target]
            else:
                assert scene.spot(target) == spot
                assert [scene.spot(i) for i in range(len(scene.objects))].count(spot) == 1


def test_looks_and_prints_are_the_targets() -> None:
    for kind in ("color", "shape", "number", "word"):
        for scene, question in asked(kind):
            thing = scene.objects[question.targets[0]]
            truth = {"color": thing.color, "shape": thing.shape}.get(kind, thing.print)
            assert question.answer == truth
            assert question.box == thing.box
            assert truth not in question.text.split()


def test_counts_are_true() -> None:
    answers: Counter[str] = Counter()
    for scene, question in asked("count"):
        assert question.answer == str(sum(fits(thing, question.slots[0]) for thing in scene.objects))
        assert question.box == scene.box
        answers[question.answer] += 1
    assert len(answers) >= 8
    assert answers["0"] > 0


def test_existence_is_true_and_balanced() -> None:
    pairs = asked("exists")
    for scene, question in pairs:
        found = [thing for thing in scene.objects if fits(thing, question.slots[0])]
        assert question.answer == ("yes" if found else "no")
        assert question.box == (found[0].box if len(found) == 1 else scene.box)
    assert 0.4 < sum(question.answer == "yes" for _, question in pairs) / len(pairs) < 0.6


def test_relations_are_true_and_clear() -> None:
    for scene, question in asked("relation"):
        a, b = (scene.objects[i].center for i in question.targets)
        axis = 0 if question.answer in ("left", "right") else 1
        assert abs(a[axis] - b[axis]) >= 0.1 * (scene.width, scene.height)[axis]
        assert (a[axis] < b[axis]) == (question.answer in ("left", "above"))
        assert question.answer in question.text


def test_places_are_true() -> None:
    forms: Counter[str] = Counter()
    for scene, question in asked("place"):
        (target,) = question.targets
        thing = scene.objects[target]
        forms[question.form] += 1
        if question.form == "where":
            assert question.answer == scene.spot(target)
        else:
            assert question.answer in (f"a {thing.name}", f"an {thing.name}")
    assert min(forms.values()) > 0.3 * sum(forms.values())


def test_descriptions_name_the_one_largest() -> None:
    for scene, question in asked("describe"):
        order = sorted(range(len(scene.objects)), key=lambda i: scene.objects[i].across)
        thing = scene.objects[order[-1]]
        spot = scene.spot(order[-1])
        article = "an" if thing.color == "orange" else "a"
        largest = f"the largest is {article} {thing.name} in the {spot}."
        assert question.answer == f"there are {len(scene.objects)} shapes. {largest}"
        assert thing.box.area > 1.2 * max(scene.objects[i].box.area for i in order[:-1])


def test_a_picture_has_several_questions_most_of_them_to_read() -> None:
    per_picture = [questions(scene, seed) for seed, scene in enumerate(MANY)]
    kinds = Counter(question.kind for several in per_picture for question in several)
    assert min(map(len, per_picture)) >= 2
    assert kinds["number"] + kinds["word"] >= 0.4 * kinds.total()
    assert kinds.keys() == set(KINDS)
    assert all(len({(q.kind, q.targets, q.text) for q in several}) == len(several) for several in per_picture)


# --- the command ------------------------------------------------------------------------------------------


def test_written_scenes_are_complete_and_repeatable(tmp_path: Path) -> None:
    written = write_scenes(tmp_path / "a", 3, 900_000, size=320)
    write_scenes(tmp_path / "b", 1, 900_002, size=320)
    lines = [json.loads(line) for line in (tmp_path / "a" / "questions.jsonl").read_text().splitlines()]
    assert len(lines) == written >= 6
    names = {line["image"] for line in lines}
    assert names == {path.name for path in (tmp_path / "a").glob("*.png")}
    assert len(names) == 3
    assert all(set(line) == {"image", "question", "answer", "kind", "box"} for line in lines)
    (last,) = (tmp_path / "b").glob("*.png")  # scene i has seed S + i
    assert last.read_bytes() == (tmp_path / "a" / last.name).read_bytes()
    with Image.open(last) as picture:
        assert max(picture.size) == 320
