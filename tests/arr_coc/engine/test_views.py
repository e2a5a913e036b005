"""How far each row is read: whole rows, no further than they must, at no more than one view would cost."""

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from arr_coc.engine.views import APART, BUCKET, Band, bands, bucketed

MAX = 2048
LENGTHS = st.lists(st.integers(1, MAX), min_size=1, max_size=7)


def _price(split: tuple[Band, ...]) -> int:
    return sum((end - first) * tokens + APART for first, end, tokens in split)


@given(LENGTHS)
def test_all_rows_are_read_to_their_ends_as_cheaply_as_can_be(lengths: list[int]) -> None:
    split = bands(lengths, MAX)
    assert [first for first, _, _ in split] == [0, *(end for _, end, _ in split[:-1])]
    assert split[-1][1] == len(lengths)
    for first, end, tokens in split:
        assert tokens == bucketed(max(lengths[first:end]), MAX)
    inner = range(1, len(lengths))
    ways = (
        tuple((a, b, bucketed(max(lengths[a:b]), MAX)) for a, b in pairwise((0, *cuts, len(lengths))))
        for count in range(len(lengths))
        for cuts in combinations(inner, count)
    )
    assert _price(split) == min(map(_price, ways))


def test_rows_of_like_length_are_read_together() -> None:
    assert bands([200, 130, 256], MAX) == ((0, 3, 256),)
    assert bands([100, 1900, 100], MAX) == ((0, 1, 128), (1, 2, 1920), (2, 3, 128))


def test_a_view_is_whole_buckets_but_for_the_slots_end() -> None:
    assert (bucketed(1, MAX), bucketed(BUCKET, MAX), bucketed(BUCKET + 1, MAX)) == (
        BUCKET,
        BUCKET,
        2 * BUCKET,
    )
    assert bucketed(190, 200) == 200
