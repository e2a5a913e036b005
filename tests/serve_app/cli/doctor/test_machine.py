"""Memory as the kernel tells it, shared memory and the port."""

import socket
from pathlib import Path

import pytest

from serve_app.cli.doctor.machine import check_port, check_shared_memory, free_memory
from serve_app.config import HttpOptions

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


def test_this_machine_has_memory() -> None:
    assert free_memory() > 0


def test_shared_memory_that_is_not_there_is_a_warning(tmp_path: Path) -> None:
    finding = check_shared_memory(tmp_path / "nothing")
    assert finding.level == "warning"
    assert finding.remedy


def test_shared_memory_that_is_too_small_is_a_warning() -> None:
    assert check_shared_memory(Path("/proc")).level == "warning"  # a file system without any room


def test_a_port_that_is_taken_is_a_problem() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        http = HttpOptions(host="127.0.0.1", port=taken.getsockname()[1])
        assert check_port(http).level == "problem"
    assert check_port(http).level == "ok"
