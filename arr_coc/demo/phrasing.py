"""Turns a template and its slots into text, and says where each slot came to stand.

A slot is ``{0}`` or ``{1}``; for nouns ``{0:one}`` gives "a red circle" and ``{0:many}`` "red circles".
Owns the canonical templates; does not know scenes.
"""

from collections.abc import Sequence
from string import Formatter

CANONICAL: dict[str, tuple[str, ...]] = {
    "color": ("what color is {0}?", "what is the color of {0}?"),
    "shape": ("what shape is {0}?", "what is the shape of {0}?"),
    "count": ("how many {0:many} are there?", "how many {0:many} do you see?"),
    "what at": ("what is in {0}?", "what shape is in {0}, and in what color?"),
    "where": ("where is {0}?", "in which corner is {0}, or is it in the middle?"),
    "left or right": ("is {0} left or right of {1}?", "is {0} to the left or to the right of {1}?"),
    "above or below": ("is {0} above or below {1}?",),
    "exists": ("is there {0:one}?", "are there any {0:many}?"),
    "number": ("what number is on {0}?", "which number does {0} show?"),
    "word": ("what word is on {0}?", "what word does {0} show?"),
    "describe": ("describe the picture.", "what do you see?"),
}


Piece = tuple[str, int | None]
"""Some text, and the slot it fills (None for literal text)."""


def with_article(noun: str) -> str:
    """Say "a red circle", "an orange star"."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def plural(noun: str) -> str:
    """Say "red circles", "crosses"."""
    return f"{noun}es" if noun.endswith("s") else f"{noun}s"


def pieces(template: str, slots: Sequence[str]) -> list[Piece]:
    """The text in pieces: literal ones with None, filled ones with their slot's index."""
    cut: list[Piece] = []
    for literal, field, spec, _ in Formatter().parse(template):
        if literal:
            cut.append((literal, None))
        if field is not None:
            phrase = slots[int(field)]
            filled = with_article(phrase) if spec == "one" else plural(phrase) if spec == "many" else phrase
            cut.append((filled, int(field)))
    return cut


def fill(template: str, slots: Sequence[str]) -> tuple[str, dict[int, tuple[int, int]]]:
    """The text, and the character span of each slot in it."""
    return join(pieces(template, slots))


def join(cut: Sequence[Piece]) -> tuple[str, dict[int, tuple[int, int]]]:
    """Pieces put together, with the character span of each filled slot."""
    text, spans = "", {}
    for piece, slot in cut:
        if slot is not None:
            spans[slot] = (len(text), len(text) + len(piece))
        text += piece
    return text, spans
