"""Vectors are kept within bounds, the least lately used are given up first."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from arr_coc.embedding.kept import Kept, content_key


def test_texts_and_pictures_of_the_same_bytes_are_told_apart() -> None:
    assert len({content_key("a"), content_key(b"a"), content_key("b"), content_key("\u00e9")}) == 4


def test_the_least_lately_used_goes_first() -> None:
    vector = np.zeros(75, np.float32)  # 300 bytes, and 200 besides
    kept = Kept(1100)
    kept.put(b"a", vector)
    kept.put(b"b", vector)
    assert kept.get(b"a") is vector
    kept.put(b"c", vector)
    assert [kept.get(key) is not None for key in (b"a", b"b", b"c")] == [True, False, True]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 200))), st.integers(0, 3000))
def test_it_never_holds_more_than_it_may(puts: list[tuple[int, int]], capacity: int) -> None:
    kept = Kept(capacity)
    for key, size in puts:
        kept.put(bytes([key]), np.zeros(size, np.float32))
        assert (
            sum(found.nbytes for each in range(10) if (found := kept.get(bytes([each]))) is not None)
            <= capacity
        )
