"""The model card: what the demo model is, knows and reaches."""

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

Trained by `python -m arr_coc.demo.train --out DIR` (about two hours on two CPU cores) on scenes with seeds below
900,000; judged on scenes with seeds above.

{figures}
"""


def card(model: Qwen3VLForConditionalGeneration, counts: dict[str, tuple[int, int]]) -> str:
    """The card, with (right, asked) by kind where they are known."""
    millions = sum(p.numel() for p in model.parameters()) / 1e6
    rows = [f"| {kind} | {100 * right / asked:.1f} | {asked} |" for kind, (right, asked) in counts.items()]
    table = "\n".join(["| held-out questions | % right | n |", "|---|---|---|", *rows]) if rows else ""
    return CARD.format(millions=millions, figures=table)
