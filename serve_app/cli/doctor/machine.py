"""Memory, shared memory and the port of this machine."""

import os
from pathlib import Path

from arr_coc.errors import ConfigError
from serve_app.checks import require_free
from serve_app.cli.doctor.finding import Finding, ok, problem, warning
from serve_app.config_file import HttpOptions
from serve_app.environment import OBJECT_STORE_BYTES

_MIB = 2**20


def check_shared_memory(path: Path = Path("/dev/shm")) -> Finding:
    """Ray's object store lies there; where it does not fit, Ray takes slower disk."""
    try:
        room = os.statvfs(path)
    except OSError:
        return warning("shared memory", f"{path} does not exist", f"mount a tmpfs at {path}")
    free = room.f_bavail * room.f_frsize
    told = f"{free // _MIB} MiB free in {path}"
    if free < OBJECT_STORE_BYTES:
        needed = f"{OBJECT_STORE_BYTES // _MIB} MiB are wanted"
        return warning("shared memory", f"{told}, {needed}", "in a container: --shm-size=256m")
    return ok("shared memory", told)


def check_port(http: HttpOptions) -> Finding:
    """Whether the server could listen where it shall."""
    try:
        require_free(http)
    except ConfigError as error:
        return problem("port", error.message, "end what listens there, or give another port (serve --port)")
    return ok("port", f"{http.host}:{http.port} is free")
