"""Tokens as text and bytes: together they are the text, and each leaves with the first of its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from arr_coc.answers import Delta, TokenLogprobs
from arr_coc.engine.detokenizer import Detokenizer
from arr_coc.model.source import resolve

SAID = "an\xe9n \N{SNOWMAN}!"


def _byte_level() -> Tokenizer:
    """A tokenizer of single bytes, of ``<end>``, which is no text, and of ``<b>``, which is."""
    alphabet = {letter: i for i, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(alphabet, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken("<end>", special=True)])
    tokenizer.add_tokens([AddedToken("<b>")])
    return tokenizer


BYTES = _byte_level()
WORDS: Tokenizer = Tokenizer.from_file(str(resolve("demo") / "tokenizer.json"))
END = BYTES.token_to_id("<end>")


def _told(tokenizer: Tokenizer, ids: list[int], stop: tuple[str, ...] = ()) -> tuple[str, list[Delta]]:
    """The text of ``ids`` and its deltas, as the engine makes them."""
    detokenizer, output, deltas = Detokenizer(tokenizer, stop), [], []
    for token in ids:
        output.append(token)
        deltas.append(detokenizer.push(token, [(token, -0.5), (ids[0], -1.0)]))
        if detokenizer.stopped:
            break
    text, last = detokenizer.finish(output)
    return text, [*deltas, last]


def _spelled(told: list[TokenLogprobs]) -> bytes:
    return b"".join(each.taken.utf8 or b"" for each in told)


@pytest.mark.parametrize("tokenizer", [BYTES, WORDS], ids=["bytes", "words"])
@given(data=st.data())
def test_all_tokens_together_are_the_text(tokenizer: Tokenizer, data: st.DataObject) -> None:
    tokens = st.integers(0, tokenizer.get_vocab_size() - 1)
    text, deltas = _told(tokenizer, data.draw(st.lists(tokens, min_size=1, max_size=12)))
    assert "".join(delta.text for delta in deltas) == text
    assert _spelled([each for delta in deltas for each in delta.logprobs]).decode(errors="replace") == text


def test_a_token_leaves_with_the_character_that_it_begins() -> None:
    _, deltas = _told(BYTES, BYTES.encode(SAID).ids)
    assert [(delta.text, len(delta.logprobs)) for delta in deltas if delta.text] == [
        ("a", 1), ("n", 1), ("\xe9", 2), ("n", 1), (" ", 1), ("\N{SNOWMAN}", 3), ("!", 1),
    ]  # fmt: skip
    assert all(not delta.logprobs for delta in deltas if not delta.text)
    snowman = [each.taken for delta in deltas for each in delta.logprobs if delta.text == "\N{SNOWMAN}"]
    assert [token.text for token in snowman] == ["\\xe2", "\\x98", "\\x83"]
    assert [token.utf8 for token in snowman] == [b"\xe2", b"\x98", b"\x83"]


@pytest.mark.parametrize(("stop", "spelled"), [("n \N{SNOWMAN}", "an\xe9"), ("!", SAID[:-1])])
def test_what_lies_behind_a_stop_string_is_not_told(stop: str, spelled: str) -> None:
    text, deltas = _told(BYTES, BYTES.encode(SAID).ids, (stop,))
    assert text == spelled
    assert _spelled([each for delta in deltas for each in delta.logprobs]).decode() == spelled


def test_control_tokens_have_no_bytes_and_the_last_is_not_told() -> None:
    ids = [*BYTES.encode("a").ids, END, *BYTES.encode("b").ids, BYTES.token_to_id("<b>"), END]
    text, deltas = _told(BYTES, ids)
    told = [(each.taken.text, each.taken.utf8) for delta in deltas for each in delta.logprobs]
    assert text == "ab<b>"
    assert told == [("a", b"a"), ("<end>", None), ("b", b"b"), ("<b>", b"<b>")]


@pytest.mark.parametrize("tokenizer", [BYTES, WORDS], ids=["bytes", "words"])
def test_an_id_without_a_token_adds_nothing(tokenizer: Tokenizer) -> None:
    unused = tokenizer.get_vocab_size() + 7
    (told,) = (
        Detokenizer(tokenizer).push(tokenizer.encode("red").ids[0], [(9, -1.0), (unused, -2.0)]).logprobs
    )
    assert (told.likeliest[0].text, told.likeliest[0].utf8) == ("", b"")


def test_the_likeliest_are_spelled_as_they_would_have_gone_on() -> None:
    first, second = WORDS.encode("red circle").ids
    detokenizer = Detokenizer(WORDS)
    (begun,) = detokenizer.push(first, [(first, -0.1), (second, -2.0)]).logprobs
    (gone_on,) = detokenizer.push(second, [(second, -0.1), (first, -2.0)]).logprobs
    assert (begun.taken.text, begun.likeliest[0].text) == ("red", "circle")
    assert (gone_on.taken.text, gone_on.likeliest[0].text) == (" circle", " red")
