"""Says a question in the many ways people type it, and asks about anything else.

Owns how canonical questions become free ones: another template, another way to refer, capitals, missing
articles and marks, misspellings. Does not know scenes: the meaning and the answer stay.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import replace

from arr_coc.demo.offtopic import ABOUT, FILLERS, OFF_TOPIC
from arr_coc.demo.phrasing import CANONICAL, Piece, join, pieces, plural
from arr_coc.demo.templates import ASKING, ENDINGS, OPENINGS, PATTERNS, SYNONYMS
from arr_coc.demo.world import COLORS, SHAPES, SPOTS, Question

__all__ = ["ABOUT", "off_topic", "paraphrase", "vocabulary"]

QUESTION_WORDS = ("what", "which", "how", "where", "in what", "in which", "if", "whether", "on ")
NAMES = frozenset(COLORS + SHAPES + tuple(plural(shape) for shape in SHAPES))
OTHER_SPOTS = {
    "top left": ("top left", "upper left", "left top", "top left corner", "upper left corner", "top-left"),
    "top right": (
        "top right", "upper right", "right top", "top right corner", "upper right corner", "top-right",
    ),
    "bottom left": ("bottom left", "lower left", "left bottom", "bottom left corner", "lower left corner"),
    "bottom right": (
        "bottom right", "lower right", "right bottom", "bottom right corner", "lower right corner",
    ),
    "middle": ("middle", "center", "centre", "middle part", "very middle"),
}  # fmt: skip

ANSWER_WORDS = "yes no there are shapes the largest is a an in left right above below unreadable shape"
OTHER_NOUNS = {
    "one": ("one", "one", "shape", "thing", "object", "figure"),
    "shape": ("shape", "object", "thing", "one", "figure"),
}


def paraphrase(question: Question, rng: random.Random) -> Question:
    """The same question in one of many wordings; targets and mentions follow the new order and spans."""
    slots = [_rephrased(slot, rng) for slot in question.slots]
    cut = pieces(choose(rng.choice(PATTERNS[question.form]), SYNONYMS, rng), slots)
    cut = _framed(cut, rng)
    cut = [piece if piece[1] is not None else (_worn(piece[0], rng), None) for piece in cut]
    if rng.random() < 0.1:
        cut = _misspelled(cut, rng)
    cut.append((_mark(rng), None))
    text, spans = join(cut)
    targets = sorted(zip(question.targets, range(len(slots)), strict=False), key=lambda pair: spans[pair[1]])
    return replace(
        question,
        text=_cased(text, rng),
        targets=tuple(target for target, _ in targets),
        mentions=tuple(spans[slot] for _, slot in targets),
        slots=tuple(slots[slot] for _, slot in targets) or tuple(slots),
    )


def off_topic(rng: random.Random) -> str:
    """A question or request that scenes cannot answer; its answer is ABOUT."""
    if rng.random() < 0.06:
        return _gibberish(rng)
    text = choose(rng.choice(OFF_TOPIC), FILLERS, rng)
    cut = _framed([(text, None)], rng)
    if rng.random() < 0.1:
        cut = _misspelled(cut, rng)
    return _cased(join(cut)[0] + _mark(rng), rng)


def vocabulary() -> list[str]:
    """Every whole word of questions and answers in lower case, sorted; neither print nor digits.

    A trained checkpoint's embedding is laid out by it: another vocabulary needs another training.
    """
    texts = [choice for group in (*CANONICAL.values(), *PATTERNS.values()) for choice in group]
    texts += [*SYNONYMS.values(), *ASKING, *OPENINGS, *ENDINGS, *COLORS, *NAMES, *SPOTS, ABOUT, ANSWER_WORDS]
    texts += [spot for spots in OTHER_SPOTS.values() for spot in spots]
    texts += [way for ways in OTHER_NOUNS.values() for way in ways]
    return sorted(set(re.findall(r"[a-z]+", re.sub(r"<\w+>|\{[^}]*\}", " ", " ".join(texts)).lower())))


def choose(pattern: str, names: dict[str, str], rng: random.Random) -> str:
    """One of the texts that a pattern stands for."""
    while "<" in pattern:
        pattern = re.sub(r"<(\w+)>", lambda found: names[found[1]], pattern)
    while "(" in pattern:
        pattern = re.sub(r"\(([^()]*)\)", lambda found: rng.choice(found[1].split("|")), pattern)
    return re.sub(" +", " ", pattern).strip()


def _rephrased(phrase: str, rng: random.Random) -> str:
    """Another way to refer to the same thing."""
    for spot, others in OTHER_SPOTS.items():
        if phrase.endswith(f"the {spot}") and rng.random() < 0.6:
            phrase = phrase.removesuffix(spot) + rng.choice(others)
            break
    words = phrase.split(" ")
    if words[-1] in OTHER_NOUNS and rng.random() < 0.5:
        words[-1] = rng.choice(OTHER_NOUNS[words[-1]])
    if len(words) == 3 and words[0] == "the" and words[1] in COLORS and rng.random() < 0.06:
        words = ["the", words[2], "that", "is", words[1]]
    elif words[0] == "the":
        words[0] = rng.choices(("the", "", "that", "this"), (0.8, 0.14, 0.04, 0.02))[0]
    return " ".join(word for word in words if word)


def _framed(cut: Sequence[Piece], rng: random.Random) -> list[Piece]:
    """Perhaps with something said before and after."""
    framed = list(cut)
    asks = (cut[0][0] + " ").startswith(QUESTION_WORDS)
    if asks and rng.random() < 0.15:
        framed.insert(0, (rng.choice(ASKING), None))
    if rng.random() < 0.18:
        framed.insert(0, (rng.choice(OPENINGS), None))
    if rng.random() < 0.12:
        framed.append((rng.choice(ENDINGS), None))
    return framed


def _worn(text: str, rng: random.Random) -> str:
    """Literal text as hasty people type it: articles and commas dropped."""
    if rng.random() < 0.12:
        text = re.sub(r"\b(the|a|an) ", "", text)
    if rng.random() < 0.3:
        text = re.sub(r"[,:']", "", text)
    return text


def _misspelled(cut: Sequence[Piece], rng: random.Random) -> list[Piece]:
    """One letter swapped, dropped or doubled in one longer word that is no colour or shape."""
    worn = list(cut)
    places = [
        (k, found.start(), found.end())
        for k, (text, slot) in enumerate(cut)
        if slot is None
        for found in re.finditer(r"[a-z]{4,}", text)
        if found[0] not in NAMES
    ]
    if places:
        k, start, end = rng.choice(places)
        text = worn[k][0]
        worn[k] = (text[:start] + _slip(text[start:end], rng) + text[end:], None)
    return worn


def _slip(word: str, rng: random.Random) -> str:
    at = rng.randrange(1, len(word) - 1)
    return rng.choice(
        (
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
        )
    )


def _mark(rng: random.Random) -> str:
    return rng.choices(("?", "", ".", "??", " ?", "!", "?!"), (0.5, 0.32, 0.08, 0.03, 0.03, 0.02, 0.02))[0]


def _cased(text: str, rng: random.Random) -> str:
    """Lower case, a capital first, all capitals, or each word's first; length never changes."""
    style = rng.choices(("lower", "first", "upper", "title", "random"), (0.5, 0.3, 0.12, 0.05, 0.03))[0]
    if style == "lower":
        return text
    if style == "first":
        return text[:1].upper() + text[1:]
    if style == "upper":
        return text.upper()
    if style == "title":
        return re.sub(r"\b[a-z]", lambda found: found[0].upper(), text)
    return "".join(char.upper() if rng.random() < 0.3 else char for char in text)


def _gibberish(rng: random.Random) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(rng.choice(letters) for _ in range(rng.randint(1, 8))) for _ in range(rng.randint(1, 5))]
    return " ".join(words) + rng.choice(("", "?", "."))
