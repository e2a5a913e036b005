"""Single tokens as text and bytes. It does not know which were chosen, nor why."""

from collections.abc import Sequence

from tokenizers import Tokenizer, decoders
from transformers.convert_slow_tokenizer import bytes_to_unicode

from arr_coc.answers import TokenLogprob, TokenLogprobs

Ranked = Sequence[tuple[int, float]]
"""Token ids and log-probabilities: of the token that was taken, then of the likeliest, best first."""

_BYTES = {character: byte for byte, character in bytes_to_unicode().items()}  # of byte-level vocabularies


class Spelling:
    """Spells the tokens of one text, each as what it adds to the text before it."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._byte_level = isinstance(tokenizer.decoder, decoders.ByteLevel)
        self._added = tokenizer.get_added_tokens_decoder()
        self._before: list[int] = []  # the last token that gave text, without which some begin otherwise

    def spell(self, ranked: Ranked) -> TokenLogprobs:
        """The next token of the text and those likeliest in its place."""
        taken, *likeliest = [self._token(token, logprob) for token, logprob in ranked]
        if taken.utf8 is not None:
            self._before = [ranked[0][0]]
        return TokenLogprobs(taken, tuple(likeliest))

    def _token(self, token: int, logprob: float) -> TokenLogprob:
        if (added := self._added.get(token)) is not None:
            return TokenLogprob(added.content, None if added.special else added.content.encode(), logprob)
        utf8 = self._bytes(token)
        return TokenLogprob(utf8.decode(errors="backslashreplace"), utf8, logprob)

    def _bytes(self, token: int) -> bytes:
        if self._byte_level:
            characters = self._tokenizer.id_to_token(token) or ""  # a model may have more ids than tokens
            return bytes(_BYTES[character] for character in characters)
        before, after = (self._tokenizer.decode(ids) for ids in (self._before, [*self._before, token]))
        return str(after[len(before) :]).encode()
