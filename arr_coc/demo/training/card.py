"""The model card: what the demo model is, knows and reaches."""

from collections.abc import Mapping

from transformers import Qwen3VLForConditionalGeneration

CARD = """---
license: apache-2.0
pipeline_tag: image-text-to-text
---
# arr-coc demo model

A Qwen3-VL-architecture model of {millions:.1f} M parameters, trained from nothing on synthetic pictures.
It knows simple scenes of coloured shapes and the numbers and words printed on them, and **nothing else**:
asked about anything else it says so in one fixed sentence.

Pictures are resized to multiples of 32 px, pixels scaled to [-1, 1]; one visual token shows 32 x 32 px. It takes
a native picture of 64-1,024 tokens, or an overview of 64-256 tokens followed by 1-4 patches of 64-400 tokens.
Where print is too small to be read in all it is shown, it answers "unreadable".

Trained by `python -m arr_coc.demo.train` on two CPU cores, on scenes with seeds below 900,000; judged on scenes
with seeds above.

{figures}
"""


Counts = Mapping[str, tuple[int, int]]


def card(model: Qwen3VLForConditionalGeneration, measured: Mapping[str, Counts]) -> str:
    """The card, with a table of (right, asked) by kind for each named way the model was fed."""
    millions = sum(p.numel() for p in model.parameters()) / 1e6
    return CARD.format(
        millions=millions, figures="\n".join(_table(name, counts) for name, counts in measured.items())
    )


def _table(name: str, counts: Counts) -> str:
    right, asked = (sum(pair[i] for pair in counts.values()) for i in (0, 1))
    rows = {"all": (right, asked), **counts}
    lines = [f"| {kind} | {100 * good / max(1, n):.1f} | {n} |" for kind, (good, n) in rows.items()]
    return "\n".join([f"| {name} | % right | n |", "|---|---|---|", *lines, ""])
