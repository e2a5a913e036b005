"""Whether the overview was enough, and whether a part of the picture will be: the gate before a closer look.

Owns what is made of the first token that a probe would answer with, and of how much the question looks at
the overview. Knows neither pictures nor engines.
"""

from tokenizers import Tokenizer

from arr_coc.profile import Gate


class Gatekeeper:
    """Judges probes by a model's gate; without one, nothing is certain."""

    def __init__(self, gate: Gate | None, tokenizer: Tokenizer) -> None:
        self._gate = gate
        self.looks = gate.looks if gate else 1
        """How often patches are looked at while doubts remain."""
        doubts = gate.doubts if gate else ()
        encoded = [tokenizer.encode(doubt, add_special_tokens=False).ids for doubt in doubts]
        self._doubts = {token for ids in encoded for token in ids[:1]}

    def doubtful(self, token: int) -> bool:
        """Whether an answer that begins with ``token`` asks for a closer look by itself."""
        return token in self._doubts

    def points(self, attention: float | None) -> bool:
        """Whether a question whose localising heads spend ``attention`` on the overview, 0..1, is about a part of
        it. Where nothing tells (None) it is taken to be."""
        return self._gate is None or attention is None or attention >= self._gate.pointing

    def certain(self, token: int, probability: float) -> bool:
        """Whether an answer that begins with ``token`` needs no closer look.

        Only the first token is known then; an answer that begins as a doubt does counts as one.
        """
        return self._gate is not None and probability >= self._gate.certain and not self.doubtful(token)
