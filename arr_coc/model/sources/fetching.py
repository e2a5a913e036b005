"""From a remote source to a complete directory, in the order that refuses early.

Small files first; then, before any weights are fetched: whether the family is served, the weights are
safetensors, and there is room for them.
"""

import logging
import time
from pathlib import Path

from arr_coc.model.families import EMBEDDING_FAMILIES, FAMILIES
from arr_coc.model.sources.files import Remote, itemsize, require_described, require_family, weights
from arr_coc.model.sources.progress import Meter
from arr_coc.model.sources.room import require_room
from arr_coc.model.sources.store import Entry
from arr_coc.model.sources.transfer import download, outstanding
from arr_coc.model.weights import measure

_log = logging.getLogger(__name__)


def fetch(remote: Remote, entry: Entry, cpu_itemsize: int | None) -> None:
    """Fill ``entry``, whose lock is held, and seal it.

    ``cpu_itemsize`` is the bytes of a number once the weights are loaded, where that will be in this
    machine's memory. Raises SourceNotFound, SourceForbidden, SourceInterrupted, SourceCorrupt, NoRoom,
    UnsupportedFamily and NotSafetensors.
    """
    began = time.monotonic()
    small = [file for file in remote.files if file.small]
    meter = Meter(entry.progress, sum(file.size for file in small))
    download(remote, small, entry.files, meter)
    require_described(entry.files, entry.source)
    require_family(entry.files, FAMILIES + EMBEDDING_FAMILIES)
    large = weights(remote.files, entry.files)
    size = sum(file.size for file in large)
    meter = Meter(entry.progress, size)
    _require_room(entry.files, size, outstanding(large, entry.files), cpu_itemsize)
    download(remote, large, entry.files, meter)
    measure(entry.files)
    entry.seal([*small, *large])
    _log.info("fetched %.2f GiB in %.1f s", size / 2**30, time.monotonic() - began)


def _require_room(directory: Path, size: int, to_fetch: int, cpu_itemsize: int | None) -> None:
    stored = itemsize(directory)
    loaded = 0 if cpu_itemsize is None else size * cpu_itemsize // stored
    require_room(directory, to_fetch, loaded, copied=cpu_itemsize != stored)
