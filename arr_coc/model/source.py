"""Where a model's files are, and how they get here. Does not read weights.

A source that may change, such as a branch or a bucket's prefix, is pinned to what it is now before anything
is fetched, so that all processes of a server load the same model.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from arr_coc.errors import NotSafetensors
from arr_coc.model.sources import progress
from arr_coc.model.sources.fetching import fetch
from arr_coc.model.sources.files import require_described
from arr_coc.model.sources.spec import DEMO, Local, Prefix, Registered, RemoteSource, parse
from arr_coc.model.sources.store import Entry
from arr_coc.status import Loading

if TYPE_CHECKING:
    from arr_coc.model.sources.bucket import Bucket
    from arr_coc.model.sources.hub import Hub

__all__ = ["DEMO", "downloading", "found", "pin", "resolve"]


def resolve(source: str, cpu_itemsize: int | None = None) -> Path:
    """The directory of ``source``, downloaded where it has to be; see `arr_coc.model.sources.spec`.

    Blocks until the model is here, whichever process downloads it. ``cpu_itemsize`` is the bytes of a number
    of the loaded weights where they will lie in this machine's memory, so that what cannot fit is refused
    first. Raises ConfigError, and ModelLoadError by its kinds.
    """
    pinned = _pinned(source)
    if isinstance(pinned, Local):
        return _checked(pinned)
    entry = Entry(pinned)
    if not entry.complete():
        with entry.lock():
            if not entry.complete():
                fetch(_opened(pinned), entry, cpu_itemsize)
    return entry.files


def pin(source: str) -> str:
    """``source`` as it names one content for ever; directories stay as they are. Raises as ``resolve``."""
    pinned = _pinned(source)
    return source if isinstance(pinned, Local) else str(pinned)


def found(source: str) -> Path | None:
    """The directory of a pinned ``source`` where it is on this machine; None where it is to be downloaded.

    Raises SourceNotFound and NotSafetensors where a directory holds no model.
    """
    pinned = parse(source)
    if isinstance(pinned, Local):
        return _checked(pinned)
    if isinstance(pinned, Registered):
        return None
    entry = Entry(pinned)
    return entry.files if entry.complete() else None


def downloading(source: str) -> Loading | None:
    """How far the download of a pinned ``source`` is; None where nothing is being downloaded."""
    pinned = parse(source)
    return None if isinstance(pinned, Local | Registered) else progress.read(Entry(pinned).progress)


def _pinned(source: str) -> Local | RemoteSource:
    parsed = parse(source)
    if isinstance(parsed, Registered):
        from arr_coc.model.sources.registry import artifact

        parsed = artifact(parsed)
    if isinstance(parsed, Local) or parsed.pinned:
        return parsed
    return _opened(parsed).pinned()


def _opened(source: RemoteSource) -> "Bucket | Hub":
    if isinstance(source, Prefix):
        from arr_coc.model.sources.bucket import Bucket

        return Bucket(source)
    from arr_coc.model.sources.hub import Hub

    return Hub(source)


def _checked(source: Local) -> Path:
    require_described(source.directory, str(source.directory))
    if not any(source.directory.glob("*.safetensors")):
        raise NotSafetensors(f"no safetensors weights at {source.directory}; other formats are never read")
    return source.directory
