"""Paraphrases keep the meaning; the free wordings are none of them."""

import random
import re
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arr_coc.demo.offtopic import FILLERS, OFF_TOPIC
from arr_coc.demo.phrasing import CANONICAL
from arr_coc.demo.scenes import COLORS, KINDS, SHAPES, Question, ask, sample_scene
from arr_coc.demo.templates import ASKING, ENDINGS, OPENINGS, PATTERNS, SYNONYMS
from arr_coc.demo.wording import ABOUT, choose, off_topic, paraphrase, vocabulary
from tests.arr_coc.demo.free_wordings import FREE_OFF_TOPIC, FREE_WORDINGS, say


def some_question(seed: int, kind: str) -> Question:
    """A question of ``kind`` from the first scene that allows one."""
    rng = random.Random(seed)
    while True:
        asked = ask(sample_scene(rng.randrange(100_000)), rng, kind)
        if asked is not None:
            return asked


def named(text: str) -> set[str]:
    """The colours and shapes that a text names, singular."""
    words = re.findall("[a-z]+", text.lower())
    return {base for word in words for base in (word, word.removesuffix("es"), word.removesuffix("s"))} & {
        *COLORS,
        *SHAPES,
    }


@given(seed=st.integers(0, 10**6), kind=st.sampled_from(KINDS))
@settings(max_examples=100, deadline=None)
def test_a_paraphrase_keeps_answer_targets_and_what_it_names(seed: int, kind: str) -> None:
    question = some_question(seed, kind)
    said = paraphrase(question, random.Random(seed))
    assert (said.answer, said.kind, said.box) == (question.answer, question.kind, question.box)
    assert sorted(said.targets) == sorted(question.targets)
    assert named(said.text) == named(question.text)
    assert not set("<>{}()|") & set(said.text)
    phrase_of = dict(zip(question.targets, question.slots, strict=False))
    for target, (start, end) in zip(said.targets, said.mentions, strict=True):
        assert named(said.text[start:end]) == named(phrase_of[target])
        assert said.text[start:end].strip() == said.text[start:end] != ""
    assert [start for start, _ in said.mentions] == sorted(start for start, _ in said.mentions)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=100, deadline=None)
def test_relations_keep_who_is_asked_about(seed: int) -> None:
    question = some_question(seed, "relation")
    said = paraphrase(question, random.Random(seed))
    phrase = dict(zip(said.targets, said.slots, strict=True))
    first, second = question.targets
    assert named(phrase[first]) == named(question.slots[0])
    assert named(phrase[second]) == named(question.slots[1])


def test_the_same_random_state_says_the_same() -> None:
    question = some_question(5, "number")
    assert paraphrase(question, random.Random(3)) == paraphrase(question, random.Random(3))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_many_wordings(kind: str) -> None:
    question = some_question(1, kind)
    assert len({paraphrase(question, random.Random(i)).text.lower() for i in range(300)}) > 200
    assert len(PATTERNS[question.form]) >= 20


def test_every_form_has_canonical_and_free_wordings_and_patterns() -> None:
    assert CANONICAL.keys() == PATTERNS.keys() == {wording.form for wording in FREE_WORDINGS}


def test_off_topic_is_varied() -> None:
    rng = random.Random(0)
    assert len({off_topic(rng).lower() for _ in range(1000)}) > 700


def test_the_vocabulary_covers_questions_and_answers() -> None:
    words = set(vocabulary())
    assert len(vocabulary()) == len(words) <= 600
    for seed, kind in enumerate(KINDS * 10):
        question = some_question(seed, kind)
        texts = question.text if kind in ("number", "word") else f"{question.text} {question.answer}"
        assert set(re.findall("[a-z]+", texts)) <= words
    assert {*COLORS, *SHAPES, *re.findall("[a-z]+", ABOUT), "unreadable"} <= words


# --- what training can and cannot say ---------------------------------------------------------------------


def normal(text: str) -> str:
    """Lower case, without marks and articles; a slot becomes one word; choices stay."""
    slots = re.sub(r"\{(\d):?(\w*)\}", r" \1\2 ", text.lower())
    return " ".join(re.sub(r"\b(the|a|an)\b", " ", re.sub(r"[^a-z0-9()|]", " ", slots)).split())


def matcher(pattern: str, names: dict[str, str]) -> re.Pattern[str]:
    """Matches every normal text that a pattern stands for, however it is spaced."""
    while "<" in pattern:
        pattern = re.sub(r"<(\w+)>", lambda found: names[found[1]], pattern)
    return re.compile(normal(pattern).replace(" ", r"\s*"))


SHOWN = [
    matcher(pattern, SYNONYMS) for group in (*PATTERNS.values(), *CANONICAL.values()) for pattern in group
]
SHOWN_OFF_TOPIC = [matcher(pattern, FILLERS) for pattern in OFF_TOPIC]


def known(text: str, matchers: list[re.Pattern[str]]) -> bool:
    """Whether training can say ``text``, with or without its openings and endings."""
    return any(pattern.fullmatch(plain) for plain in unframed(normal(text)) for pattern in matchers)


def unframed(text: str) -> set[str]:
    """``text`` with and without what training may say before and after it."""
    starts = {text, *(text.removeprefix(normal(o)).strip() for o in OPENINGS)}
    starts |= {t.removeprefix(normal(o)).strip() for t in starts for o in ASKING}
    return {t.removesuffix(normal(e)).strip() for t, e in product(starts, (*ENDINGS, "\0"))}


def test_the_matchers_know_what_training_says() -> None:
    rng = random.Random(1)
    for pattern in [pattern for group in PATTERNS.values() for pattern in group]:
        said = choose(pattern, SYNONYMS, rng)
        assert known(said.upper() + "?", SHOWN)
        assert known(f"please, {said} in this image", SHOWN)
    assert all(known(choose(pattern, FILLERS, rng), SHOWN_OFF_TOPIC) for pattern in OFF_TOPIC)


def test_free_wordings_are_never_shown_in_training() -> None:
    assert [wording.template for wording in FREE_WORDINGS if known(wording.template, SHOWN)] == []
    assert [text for text in FREE_OFF_TOPIC if known(text, SHOWN_OFF_TOPIC)] == []


def test_there_are_enough_free_wordings_and_all_can_be_said() -> None:
    assert len({normal(w.template) for w in FREE_WORDINGS}) == len(FREE_WORDINGS) >= 80
    assert {w.kind for w in FREE_WORDINGS} == set(KINDS)
    assert len(FREE_OFF_TOPIC) >= 10
    for wording in FREE_WORDINGS:
        question = next(
            asked for seed in range(100) if (asked := some_question(seed, wording.kind)).form == wording.form
        )
        said = say(wording.template, question)
        assert all(named(slot) <= named(said) for slot in question.slots)
        assert "{" not in said
