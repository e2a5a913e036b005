"""Vectors kept for those who ask for the same text or picture again. It does not know what they mean."""

from collections import OrderedDict
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

_BESIDES = 200  # bytes of a key, an entry and an array's own, roughly


def content_key(content: str | bytes) -> bytes:
    """What a text, or the bytes of a picture, is known by. Cryptographic: nobody can make one that passes for
    another."""
    if isinstance(content, str):
        return b"t" + sha256(content.encode()).digest()
    return b"p" + sha256(content).digest()


class Kept:
    """At most ``capacity`` bytes of vectors; the least lately used are given up first."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._vectors: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()
        self._bytes = 0

    def get(self, key: bytes) -> NDArray[np.float32] | None:
        """The vector that was kept under ``key``, if it still is."""
        found = self._vectors.get(key)
        if found is not None:
            self._vectors.move_to_end(key)
        return found

    def put(self, key: bytes, vector: NDArray[np.float32]) -> None:
        """Keep ``vector``."""
        if key not in self._vectors:
            self._vectors[key] = vector
            self._bytes += vector.nbytes + _BESIDES
        while self._bytes > self._capacity:
            _, given_up = self._vectors.popitem(last=False)
            self._bytes -= given_up.nbytes + _BESIDES
