"""The wordings that training shows: patterns, their synonyms, and what is said around them.

``(a|b|)`` is a choice, ``<name>`` a choice from SYNONYMS, ``{0}`` a slot (see ``phrasing.py``).
Owns words only.
"""

from arr_coc.demo.patterns_object import OBJECT_PATTERNS
from arr_coc.demo.patterns_scene import SCENE_PATTERNS

SYNONYMS: dict[str, str] = {
    "color": "(color|color|colour|colour|hue|shade)",
    "form": "(shape|shape|form|figure|kind of shape|geometric shape)",
    "things": "(shapes|shapes|objects|things|figures|items)",
    "number": "(number|number|number|digits|numeral|two digits|two digit number|value)",
    "word": "(word|word|word|text|letters|label|writing|three letters|lettering|string)",
    "picture": "(picture|image|scene|photo|pic|drawing)",
    "on": "(on|on|printed on|written on|shown on|inside|in|drawn on|that is on|displayed on)",
    "tell": "(tell me|say|give me|let me know|i want to know|i would like to know|name)",
    "see": "(see|find|spot|count|notice|have)",
    "what": "(what|what|which)",
    "whats": "(what is|what is|what's|whats)",
    "here": "(|| here| there| in the <picture>| in this <picture>| in total)",
    "side": "(to the left or to the right|on the left or on the right|left or right|left or right hand side)",
    "level": "(above or below|higher or lower|over or under|above or under|further up or further down)",
}

PATTERNS = {**OBJECT_PATTERNS, **SCENE_PATTERNS}
"""For every form of question, its wordings."""

ASKING = (
    "can you tell me ", "could you tell me ", "tell me ", "do you know ", "i wonder ", "please tell me ",
    "say, ", "i want to know ", "would you tell me ", "my question is ", "question: ", "can you see ",
)  # fmt: skip
"""Openings of a question that starts with what, which, how or where."""

OPENINGS = (
    "please ", "hey ", "hey, ", "hi, ", "hello, ", "ok, ", "so ", "so, ", "and ", "now, ", "well, ", "um, ",
    "just ", "quick question: ", "in this picture, ", "in the image, ", "looking at the picture, ", "q: ",
    "please, ", "hello! ", "in the scene, ", "excuse me, ", "ok so ", "then ", "hi there, ", "in this image ",
)  # fmt: skip

ENDINGS = (
    " please", ", please", " thanks", ", thank you", " in the picture", " in this image", " now", " then",
    " exactly", " here", " in this scene", ", can you tell me", " do you think", ", do you know", " for me",
)  # fmt: skip
