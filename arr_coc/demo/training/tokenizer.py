"""The demo model's vocabulary and tokenizer.

Owns which pieces there are, in which order, and how questions and answers become ids. Knows
nothing of scenes: the words come in as an argument. Lower-case pieces are what people type and
what sentences are made of; capital letters exist as pieces too, but the tokenizer lowers all
input, so that they occur in answers alone, where they stand for printed letters.
"""

import string
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
    "<unk>",
)
PAD, IM_START, IM_END, VISION_START, VISION_END, IMAGE, VIDEO, UNKNOWN = range(len(SPECIAL))
ROLES = ("user", "assistant", "system")
LETTERS = string.ascii_uppercase
CHARACTERS = string.digits + LETTERS
"""What is printed on objects: glyph class ``i`` is ``CHARACTERS[i]``."""

CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }} "
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for c in m['content'] %}"
    "{% if c['type']=='image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif c['type']=='text' %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant{% endif %}"
)


def pieces(words: Iterable[str]) -> list[str]:
    """All pieces in id order: special ones, roles, glyphs, single characters, then whole words as given."""
    typed = string.ascii_lowercase + string.punctuation
    single = [*CHARACTERS, *("##" + c for c in CHARACTERS), *typed]
    inner = ["##" + c for c in string.ascii_lowercase]
    whole = [w.lower() for w in words if w.isascii() and w.isalpha() and len(w) > 1]
    return list(dict.fromkeys([*SPECIAL, *ROLES, *single, *inner, *whole]))


def build_tokenizer(words: Iterable[str]) -> PreTrainedTokenizerFast:
    """A lower-casing WordPiece tokenizer with the chat template; ordinary ASCII is never unknown."""
    vocab = {piece: index for index, piece in enumerate(pieces(words))}
    core = Tokenizer(models.WordPiece(vocab=vocab, unk_token="<unk>", max_input_chars_per_word=100))
    core.normalizer = normalizers.Sequence(
        [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]
    )
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        unk_token="<unk>",
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        additional_special_tokens=list(SPECIAL[1:7]),
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


@dataclass(frozen=True)
class TurnIds:
    """One question-answer turn: ``ids`` from the question's first piece to the closing mark.

    ``answer_start`` is the index of the answer's first piece; ``mention_ends`` the index of the
    last piece of each mention, in the question's order of targets.
    """

    ids: tuple[int, ...]
    answer_start: int
    mention_ends: tuple[int, ...]


class TurnEncoder:
    """Turns text into ids the way serving sees it: each piece's ids do not depend on what is around."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._core = tokenizer.backend_tokenizer
        self.vocab: dict[str, int] = tokenizer.get_vocab()
        self._assistant = self.vocab["assistant"]
        self._user = self.vocab["user"]

    def opening(self, grid_tokens: Iterable[int]) -> tuple[int, ...]:
        """Ids of ``<|im_start|>user`` and one marked run of image pads a picture."""
        ids = [IM_START, self._user]
        for tokens in grid_tokens:
            ids += [VISION_START, *[IMAGE] * tokens, VISION_END]
        return tuple(ids)

    def turn(self, question: str, answer: str, mentions: Iterable[tuple[int, int]]) -> TurnIds:
        """``mentions`` are character spans of ``question``."""
        encoded = self._core.encode(question, add_special_tokens=False)
        ends = tuple(self._last_piece(encoded.offsets, span) for span in mentions)
        ids = [*encoded.ids, IM_END, IM_START, self._assistant]
        return TurnIds((*ids, *self.answer(answer), IM_END), len(ids), ends)

    def answer(self, text: str) -> tuple[int, ...]:
        """Ids of an answer. Words in capitals and numbers become glyphs, the rest is tokenized."""
        ids: list[int] = []
        for word in text.replace(",", " , ").replace(".", " . ").replace('"', ' " ').split():
            if all(c in CHARACTERS for c in word):
                ids += [self.vocab[("##" if i else "") + c] for i, c in enumerate(word)]
            else:
                ids += self._core.encode(word, add_special_tokens=False).ids
        return tuple(ids)

    @staticmethod
    def _last_piece(offsets: list[tuple[int, int]], span: tuple[int, int]) -> int:
        return max(i for i, (start, end) in enumerate(offsets) if start < span[1] and end > span[0])


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, directory: Path) -> None:
    """Write tokenizer and chat template in HF format."""
    tokenizer.save_pretrained(str(directory))
