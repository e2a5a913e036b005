"""What questions about the same picture share, so that a picture asked again is not looked at again.

Owns one bounded store of two things: vision features, by what a picture shows, and the keys and values
of a prefix (a prompt up to the end of its first picture), by its tokens and what its picture shows.
Sharing only ever saves work: what is not kept is computed. Does not know when anything runs.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from arr_coc.engine.cache import SlotCache
from arr_coc.engine.observer import Observer
from arr_coc.engine.sequence import Prefix
from arr_coc.engine.sequence import Sequence as Seq
from arr_coc.engine.store import Store
from arr_coc.model.adapter import Features, Prompt
from arr_coc.types import Pixels

View = tuple[bytes | None, Pixels]  # what it is known by, where anything is to be kept of it
Tower = Callable[[list[Pixels]], list[Features]]


class Shared:
    """Belongs to the engine's thread, ``prefix`` aside."""

    def __init__(self, cache: SlotCache, token_bytes: int, capacity: int, observer: Observer) -> None:
        """``token_bytes`` are the keys and values of one token; ``capacity`` bounds all that is kept, in bytes."""
        self._cache = cache
        self._token_bytes = token_bytes
        self.observer = observer
        self._store = Store(capacity)

    def prefix(self, prompt: Prompt) -> Prefix | None:
        """What ``prompt`` may share; None where it shows no picture or the store could never hold it."""
        if not prompt.digests:
            return None
        length = prompt.prefix_length
        if length == len(prompt) or length * self._token_bytes > self._store.capacity:
            return None
        return Prefix(prompt.prefix_key, length, self._store)

    def begin(self, row: Seq) -> None:
        """Copy what is kept of the prefix of ``row`` into its slot, which is empty."""
        if row.prefix is None:
            return
        kept = self._store.get(row.prefix.key)
        if kept is not None:
            for to, of in zip(self._cache.states(row.slot, row.prefix.length), kept, strict=True):
                to.copy_(of)
            row.length = row.prefix.length
        self.observer.looked_up("prefix_tokens", row.prefix.length, row.length)

    def features(
        self, views: Sequence[View], tower: Tower
    ) -> tuple[list[Features], Mapping[bytes, Features]]:
        """Features of ``views``, in their order, and those of them that were not kept: these come from
        one pass of ``tower``, which sees each picture once."""
        keys = [digest or number for number, (digest, _) in enumerate(views)]
        seen = {key: kept for key in keys if isinstance(key, bytes) and (kept := self._kept(key))}
        unseen = {key: pixels for key, (_, pixels) in zip(keys, views, strict=True) if key not in seen}
        looked_at = dict(zip(unseen, tower(list(unseen.values())), strict=True)) if unseen else {}
        self.observer.looked_up("pictures", len(views), len(views) - len(unseen))
        features = [seen[key] if key in seen else looked_at[key] for key in keys]
        return features, {key: new for key, new in looked_at.items() if isinstance(key, bytes)}

    def keep(self, reached: Iterable[tuple[Seq, int]], looked_at: Mapping[bytes, Features]) -> None:
        """Remember the prefixes in the slots of rows that have just been prefilled well, each up to the
        token that it ``reached``, and what was looked at for them."""
        for row, length in reached:
            for digest in row.prompt.digests:
                if digest in looked_at:
                    self._store.put(digest, (looked_at[digest].tokens, *looked_at[digest].deepstack))
            if row.prefix is not None and length >= row.prefix.length:
                self._store.put(row.prefix.key, self._cache.states(row.slot, row.prefix.length))
        self.observer.kept(self._store.bytes)

    def _kept(self, digest: bytes) -> Features | None:
        kept = self._store.get(digest)
        return Features(kept[0], kept[1:]) if kept else None
