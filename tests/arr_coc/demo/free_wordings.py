"""What people type that training never showed: wordings to judge the demo model by.

Templates are filled with a question's slots like the project's own (see ``arr_coc.demo.phrasing``); a
template without lower-case letters is shouted whole. A test holds them apart from the training patterns.
"""

import re
from typing import NamedTuple

from arr_coc.demo.phrasing import fill
from arr_coc.demo.world import Question


class FreeWording(NamedTuple):
    """A kind of question, the form of its meaning, and how somebody puts it."""

    kind: str
    form: str
    template: str


def _all(kind: str, form: str, *templates: str) -> tuple[FreeWording, ...]:
    return tuple(FreeWording(kind, form, template) for template in templates)


FREE_WORDINGS: tuple[FreeWording, ...] = (
    *_all(
        "number", "number",
        "hey whats that number on {0}",
        "Could you read me the digits printed on {0}?",
        "I need the number from {0}",
        "number shown by {0} pls",
        "Which two digits can be seen on {0}?",
        "can u read the number of {0} for me",
        "{0} carries what number",
        "I can't make out the number on {0}, what is it?",
        "WHAT IS THE NUMBER WRITTEN ACROSS {0}",
        "how does the number on {0} read?",
        "What number would I read on {0}?",
        "somebody put a number on {0}, which one?",
        "Please find {0} and tell me its number.",
    ),
    *_all(
        "word", "word",
        "hey whats that word on {0}",
        "Could you read me the letters printed on {0}?",
        "I need the text from {0}",
        "word shown by {0} pls",
        "Which three letters can be seen on {0}?",
        "can u read the word of {0} for me",
        "{0} carries what word",
        "I can't make out the word on {0}, what is it?",
        "WHAT IS THE TEXT WRITTEN ACROSS {0}",
        "What word would I read on {0}?",
        "somebody put a word on {0}, which one?",
        "Please find {0} and tell me its word.",
    ),
    *_all(
        "color", "color",
        "COLOUR OF {0} AGAIN?",
        "hey what colour's {0}",
        "Any idea what color {0} has?",
        "color {0}?",
        "can u say the color of {0}",
        "{0} - what color would that be?",
        "I can't tell the colour of {0}, can you?",
        "which colour was used for {0}?",
        "Please find {0} and tell me its color.",
        "so {0} is painted in which color?",
    ),
    *_all(
        "shape", "shape",
        "SHAPE OF {0} AGAIN?",
        "hey what shape's {0}",
        "Any idea what shape {0} has?",
        "shape {0}?",
        "can u say the shape of {0}",
        "{0} - what shape would that be?",
        "I can't tell the shape of {0}, can you?",
        "which kind of figure would {0} be?",
        "Please find {0} and tell me its shape.",
    ),
    *_all(
        "count", "count",
        "HOW MANY {0:many} ALL IN ALL",
        "hey how many {0:many} did they draw",
        "Please count up the {0:many} for me",
        "whats the {0:many} count",
        "how many {0:many} could I count in this picture?",
        "I need to know how many {0:many} it has",
        "number of {0:many} you can see?",
        "In this picture, {0:many} appear how many times?",
        "how many of these are {0:many}?",
        "give me the count for {0:many}",
        "so how many {0:many} have you found?",
    ),
    *_all(
        "place", "what at",
        "hey whats that in {0}",
        "Which thing would I find in {0}?",
        "WHAT HAVE WE GOT IN {0}",
        "tell me about the shape in {0}",
        "there is something in {0}, what is it?",
        "What is the one in {0}?",
        "can u see whats in {0}",
    ),
    *_all(
        "place", "where",
        "hey where's {0} at",
        "In which part would I see {0}?",
        "WHERE ABOUTS DO I FIND {0}",
        "can u find {0} for me",
        "Please point out where {0} is",
        "I need the position of {0}",
        "what corner do I have to look in for {0}?",
    ),
    *_all(
        "relation", "left or right",
        "hey is {0} on the left of {1} or on its right",
        "{0} - is it left or right of {1}?",
        "IS IT LEFT OR RIGHT OF {1} THAT {0} IS",
        "Would you say {0} is left or right of {1}?",
        "relative to {1}, is {0} on the left or on the right?",
        "can u see if {0} is left or right of {1}",
    ),
    *_all(
        "relation", "above or below",
        "hey is {0} above {1} or under it",
        "{0} - is it above or below {1}?",
        "IS IT ABOVE OR BELOW {1} THAT {0} IS",
        "Would you say {0} is above or below {1}?",
        "relative to {1}, is {0} above or below?",
        "can u see if {0} is above or below {1}",
    ),
    *_all(
        "exists", "exists",
        "hey is there {0:one} anywhere",
        "Could there be {0:one} in this image?",
        "DO WE HAVE {0:one} IN THIS PICTURE",
        "did they draw {0:one}?",
        "I wonder if any {0} is in there",
        "can u spot {0:one} for me",
        "does this image include {0:one} somewhere?",
        "Is {0:one} one of the shapes?",
        "Would I find {0:one} here?",
        "has the picture got {0:one}?",
    ),
    *_all(
        "describe", "describe",
        "hey whats all in this pic",
        "Please give me a description.",
        "WHAT ALL DO YOU SEE",
        "can u describe the whole picture",
        "Could you sum up this image for me?",
        "I'd like a description of this picture",
        "what's to be seen in this image?",
        "describe in a sentence what this picture shows",
    ),
)  # fmt: skip

FREE_OFF_TOPIC: tuple[str, ...] = (
    "Who is the prime minister of Sweden?",
    "can u lend me some money",
    "Is there a giraffe behind the fence?",
    "how do I get to the train station",
    "What's the score of the game?",
    "WRITE A LETTER TO MY LANDLORD",
    "which medicine helps against headache?",
    "How many kittens are sleeping on the sofa?",
    "what is the square root of 81",
    "say something nice about my mother",
    "Translate 'where is the bathroom' to Swedish",
    "kjh sdfg wpoe",
)


def say(template: str, question: Question) -> str:
    """``question`` as the template puts it."""
    text, _ = fill(template, question.slots)
    return text.upper() if not re.search("[a-z]", re.sub(r"\{[^}]*\}", "", template)) else text
