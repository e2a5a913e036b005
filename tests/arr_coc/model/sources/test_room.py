"""Memory as the kernel tells it, and what is refused for want of it."""

import os
from pathlib import Path

import pytest

from arr_coc.errors import NoRoom
from arr_coc.model.sources.room import free_memory, in_memory, require_memory, require_room

MEMINFO = "MemTotal:       16000000 kB\nMemFree:         1000000 kB\nMemAvailable:    8000000 kB\n"


def machine(root: Path, **cgroup: str) -> Path:
    (root / "proc").mkdir()
    (root / "proc/meminfo").write_text(MEMINFO)
    (root / "sys/fs/cgroup").mkdir(parents=True)
    for name, text in cgroup.items():
        (root / "sys/fs/cgroup" / name.replace("_", ".")).write_text(text)
    return root


@pytest.mark.parametrize(
    ("cgroup", "free"),
    [
        ({}, 8_000_000 * 1024),
        ({"memory_max": "max\n", "memory_current": "5\n"}, 8_000_000 * 1024),
        (
            {"memory_max": "1000\n", "memory_current": "700\n", "memory_stat": "anon 5\ninactive_file 200\n"},
            500,
        ),
        ({"memory_max": "1000\n", "memory_current": "1200\n", "memory_stat": "anon 5\n"}, 0),
        ({"memory_max": "99999999999\n", "memory_current": "0\n", "memory_stat": ""}, 8_000_000 * 1024),
    ],
)
def test_free_memory_is_the_machines_or_the_containers(
    tmp_path: Path, cgroup: dict[str, str], free: int
) -> None:
    assert free_memory(machine(tmp_path, **cgroup)) == free


def test_the_limit_of_an_older_container_counts_too(tmp_path: Path) -> None:
    root = machine(tmp_path)
    version_1 = root / "sys/fs/cgroup/memory"
    version_1.mkdir()
    (version_1 / "memory.limit_in_bytes").write_text("1000\n")
    (version_1 / "memory.usage_in_bytes").write_text("700\n")
    (version_1 / "memory.stat").write_text("inactive_file 1\ntotal_inactive_file 200\n")
    assert free_memory(root) == 500


def test_a_limit_of_the_processs_own_group_counts_too(tmp_path: Path) -> None:
    root = machine(tmp_path, memory_max="max\n")
    (root / "proc/self").mkdir()
    (root / "proc/self/cgroup").write_text("4:cpu:/x\n0::/a.slice/b\n")
    own = root / "sys/fs/cgroup/a.slice/b"
    own.mkdir(parents=True)
    for name, text in {"max": "1000\n", "current": "600\n", "stat": "inactive_file 50\n"}.items():
        (own / f"memory.{name}").write_text(text)
    assert free_memory(root) == 450


def test_this_machine_has_memory() -> None:
    assert free_memory() > 0


def test_more_than_the_disk_has_is_refused_and_the_remedy_told(tmp_path: Path) -> None:
    with pytest.raises(NoRoom, match="ARR_COC_CACHE"):
        require_room(tmp_path, 2**60, 0, copied=False)


def test_more_than_the_memory_has_is_refused() -> None:
    require_memory(1)
    with pytest.raises(NoRoom, match="of memory"):
        require_memory(2**60)


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no tmpfs to try")
def test_a_copy_beside_files_in_memory_counts_twice_and_mapped_files_once() -> None:
    shared = Path("/dev/shm")
    assert in_memory(shared)
    room = os.statvfs(shared)
    half = min(free_memory(), room.f_bavail * room.f_frsize) * 6 // 10
    require_room(shared, half, half, copied=False)
    with pytest.raises(NoRoom):
        require_room(shared, half, free_memory() * 6 // 10, copied=True)


def test_a_disk_is_not_memory() -> None:
    assert not in_memory(Path("/proc"))
