"""What a pod runs before Ray."""

import os
import stat
import subprocess
import sys
from pathlib import Path

from serve_app.kuberay.node import COMMAND


def test_it_becomes_the_operators_command_with_the_edge_in_ray_serves_environment(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "serve_app.kuberay.node"],
        env={**os.environ, "TMPDIR": str(tmp_path), COMMAND: "env"},
        check=True,
        capture_output=True,
        text=True,
    )
    found = dict(line.partition("=")[::2] for line in told.stdout.splitlines() if "=" in line)
    assert found["RAY_SERVE_ENABLE_HA_PROXY"] == "1"
    edge = Path(found["RAY_SERVE_HAPROXY_BINARY_PATH"])
    assert edge.parent.parent == tmp_path
    assert edge.stat().st_mode & stat.S_IXUSR
    assert "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER" not in found  # other nodes must reach this one
    assert "RAY_AUTH_TOKEN" not in found  # the operator's, the same on all nodes
