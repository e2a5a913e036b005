"""Where a text ends does not depend on how it comes in pieces, and nothing let out is taken back."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from arr_coc.answers import Delta
from arr_coc.engine.detokenizer import Detokenizer
from arr_coc.engine.stop_strings import StopStrings

TEXTS = st.text(alphabet="ab\n", max_size=24)  # few letters: stop strings begin and end everywhere
STOPS = st.lists(st.text(alphabet="ab\n", min_size=1, max_size=5), max_size=4)


def _pieces(text: str, cuts: list[int]) -> list[str]:
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


def _letter_by_letter(text: str, stops: list[str]) -> tuple[str, bool]:
    """What is shown of ``text``, by the definition."""
    for end in range(1, len(text) + 1):
        complete = [stop for stop in stops if text[:end].endswith(stop)]
        if complete:
            return text[: end - max(map(len, complete))], True
    return text, False


@given(TEXTS, STOPS, st.lists(st.integers(0, 24), max_size=8))
@example("aab", ["ab", "aab"], [1, 2])
@example("abcabd", ["abd"], [3])
def test_pieces_end_where_the_whole_ends(text: str, stops: list[str], cuts: list[int]) -> None:
    gate = StopStrings(stops)
    shown = "".join(gate.push(piece) for piece in _pieces(text, cuts))
    expected, stopped = _letter_by_letter(text, stops)
    assert gate.reached == stopped
    assert expected.startswith(shown)
    assert shown + gate.flush() == expected


@given(TEXTS, STOPS)
def test_no_more_is_held_than_may_become_a_stop_string(text: str, stops: list[str]) -> None:
    gate = StopStrings(stops)
    shown = ""
    for end, letter in enumerate(text, 1):
        shown += gate.push(letter)
        if gate.reached:
            return
        held = text[len(shown) : end]
        assert not held or any(stop.startswith(held) and stop != held for stop in stops)


def test_a_beginning_that_comes_to_nothing_is_shown_at_the_end() -> None:
    gate = StopStrings(["</s>"])
    assert [gate.push(piece) for piece in ("yes", " <", "/", "s")] == ["yes", " ", "", ""]
    assert (gate.flush(), gate.flush(), gate.reached) == ("</s", "", False)


def _bytes() -> Tokenizer:
    """A tokenizer whose tokens are single bytes."""
    alphabet = {letter: i for i, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(alphabet, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


@pytest.mark.parametrize("stop", ["\xe9", "n\xe9", "n\N{SNOWMAN}", "\N{SNOWMAN}!"])
def test_characters_of_several_tokens_are_compared_whole(stop: str) -> None:
    tokenizer, said = _bytes(), "an\xe9n\N{SNOWMAN}!"
    text, output, shown = Detokenizer(tokenizer, [stop]), [], ""
    for token in tokenizer.encode(said).ids:
        output.append(token)
        shown += text.push(token).text
        if text.stopped:
            break
    assert shown == said.partition(stop)[0]
    assert text.finish(output) == (shown, Delta(""))


def test_an_unfinished_character_at_the_end_is_told_once() -> None:
    tokenizer = _bytes()
    text, output = Detokenizer(tokenizer, ["nothing of the kind"]), tokenizer.encode("on\N{SNOWMAN}").ids[:-1]
    assert "".join(text.push(token).text for token in output) == "o"  # an n may yet become the stop string
    rest = Delta("n\N{REPLACEMENT CHARACTER}")
    assert text.finish(output) == ("on\N{REPLACEMENT CHARACTER}", rest)
