"""Whether a model fits, asked before anything of it is fetched."""

import os
from contextlib import suppress
from pathlib import Path

from arr_coc.errors import NoRoom

_GIB = 2**30
_IN_MEMORY = ("tmpfs", "ramfs")


def require_room(directory: Path, download: int, loaded: int, *, copied: bool) -> None:
    """Raises NoRoom where ``download`` more bytes do not fit into ``directory``, or the model not into memory.

    ``loaded`` bytes are what its weights take in this machine's memory, 0 where they go to a GPU. They are
    a copy of the files' content where ``copied``; otherwise the files themselves, mapped.
    """
    room = os.statvfs(directory)
    free = room.f_bavail * room.f_frsize
    if download > free:
        raise NoRoom(
            f"the model needs {download / _GIB:.2f} GiB more in {directory}, and {free / _GIB:.2f} are free; "
            "make room, or set ARR_COC_CACHE to a directory on a larger disk"
        )
    held = download if in_memory(directory) else 0
    require_memory(held + loaded if copied else max(held, loaded))


def require_memory(needed: int) -> None:
    """Raises NoRoom where ``needed`` bytes are more than this process may still take."""
    free = free_memory()
    if needed > free:
        raise NoRoom(
            f"the model needs {needed / _GIB:.2f} GiB of memory, and {free / _GIB:.2f} are free; "
            "set model.dtype: bfloat16 or model.quantization, take a smaller model, or give the machine more memory"
        )


def in_memory(directory: Path) -> bool:
    """Whether files in ``directory`` are kept in memory, as in a container without a disk."""
    device = os.stat(directory).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    rows = [line.split(" - ") for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return any(left.split()[2] == wanted and right.split()[0] in _IN_MEMORY for left, right in rows)


def free_memory(root: Path = Path("/")) -> int:
    """Bytes that a process may still take: of the machine, or of the container where that is less."""
    free = [_meminfo(root / "proc/meminfo")]
    cgroup = root / "sys/fs/cgroup"
    with suppress(OSError, ValueError):  # no container, no limit ("max"), or an older kernel's files
        limit = int((cgroup / "memory.max").read_text())
        used = int((cgroup / "memory.current").read_text())
        free.append(limit - used + _reclaimable(cgroup / "memory.stat"))
    return max(0, min(free))


def _meminfo(path: Path) -> int:
    rows = dict(line.split(":", 1) for line in path.read_text().splitlines())
    return int(rows["MemAvailable"].split()[0]) * 1024


def _reclaimable(path: Path) -> int:
    """File cache that the kernel gives back when it is needed."""
    rows = dict(line.split() for line in path.read_text().splitlines())
    return int(rows.get("inactive_file", 0))
