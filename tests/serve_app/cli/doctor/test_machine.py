"""Shared memory and the port."""

import socket
from pathlib import Path

from serve_app.cli.doctor.machine import check_port, check_shared_memory
from serve_app.config_file import HttpOptions


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
