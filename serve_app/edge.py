"""HAProxy as this server wants it: Ray writes its configuration, and this hardens it on the way.

Ray starts the program named by RAY_SERVE_HAPROXY_BINARY_PATH; `install` puts a wrapper there that
edits the configuration file and becomes the real HAProxy. Serve itself is told to listen on loopback,
replicas and all, and the public port alone is bound to the configured host. Clients lose the headers by
which they could switch timeouts and cancellation off or break Ray's own parsing, a request id that is
no sane one is replaced, headers must arrive in time, and errors are JSON.
Runs without any package: standard library only.
"""

import json
import os
import re
import sys
from pathlib import Path

HEADER_TIMEOUT_S = 10
REMOVED_HEADERS = (
    "x-request-timeout-seconds",
    "x-request-disconnect-disabled",
    "x-session-id",
    "serve_multiplexed_model_id",
)
_SANE_ID = "^[A-Za-z0-9._-]{1,64}$"
_GUARDS = (
    f"timeout http-request {HEADER_TIMEOUT_S}s",
    *(f"http-request del-header {name}" for name in REMOVED_HEADERS),
    f"http-request set-header x-request-id %[uuid] unless {{ req.hdr(x-request-id) -m reg {_SANE_ID} }}",
    "http-request set-var(txn.request_id) req.hdr(x-request-id)",
    "http-response set-header x-request-id %[var(txn.request_id)]",  # one, also where Ray adds its own
)

_ERRORS = {  # status HAProxy would send -> status line, type, code and message that the client gets
    400: ("400 Bad Request", "invalid_request_error", "invalid_http", "Not valid HTTP, or headers too long."),
    408: ("408 Request Timeout", "invalid_request_error", "header_timeout", "The headers came too slowly."),
    500: ("503 Service Unavailable", "unavailable_error", "stage_unavailable", "The server failed."),
    502: ("503 Service Unavailable", "unavailable_error", "stage_unavailable", "The server broke off."),
    503: ("503 Service Unavailable", "unavailable_error", "not_ready", "The server is starting."),
    504: ("504 Gateway Timeout", "timeout_error", "deadline_exceeded", "The server did not answer in time."),
}


def hardened(config: str, directory: Path, host: str) -> str:
    """Ray's HAProxy configuration with this server's edits; errors are files in ``directory``, and
    ``host`` is where the public port listens. Raises ValueError where the configuration has no frontend
    that could be edited: an unguarded one is never run."""
    config = re.sub(r"(?m)^(\s*bind )\*?:(\d+)$", r"\g<1>127.0.0.1:\2", config)  # metrics and statistics
    config = re.sub(r"(?m)^\s*errorfile .*\n", "", config)
    early = f"    server early unix@{directory}/early.sock backup\n"  # while no ingress is there
    nobody = f"\\g<1>    timeout connect 1s\n    timeout server 5s\n{early}"
    config = re.sub(
        r"(?m)^(backend default_backend\n)\s*http-request return status 404 .*(\n|\Z)", nobody, config
    )
    config = re.sub(r"(?m)^\s*server \S+ \S+ check backup\n", early, config)
    # on a reused connection HAProxy does not pass on that a client went away, and its request would run on
    config = re.sub(r"(?m)^(\s*http-reuse) \w+$", r"\1 never", config)
    errors = "".join(f"    errorfile {status} {_error_file(directory, status)}\n" for status in _ERRORS)
    config = re.sub(r"(?m)^defaults\n", lambda found: found[0] + errors, config)
    public = "*" if host in ("0.0.0.0", "::") else host
    guards = "".join(f"    {guard}\n" for guard in _GUARDS)
    config, edited = re.subn(
        r"(?m)^(frontend http_frontend\n\s*bind ).*:(\d+)\n", rf"\g<1>{public}:\2\n{guards}", config
    )
    if edited != 1:
        raise ValueError("HAProxy's configuration has no http_frontend")
    return config


def install(directory: Path, haproxy: str, host: str) -> Path:
    """Write the wrapper of the real ``haproxy``, and the errors, into ``directory``; the wrapper's path.

    ``host`` is where the public port shall listen.
    """
    for status in _ERRORS:
        _error_file(directory, status).write_bytes(error(status))
    python = directory / "python"  # a short path: the kernel limits the length of a #! line
    python.symlink_to(sys.executable)
    wrapper = directory / "haproxy"
    package = str(Path(__file__).resolve().parents[1])
    wrapper.write_text(
        f"#!{python} -ISB\n"
        f"import sys\nsys.path.insert(0, {package!r})\n"
        f"from serve_app.edge import run\nrun({haproxy!r}, {host!r}, sys.argv)\n"
    )
    wrapper.chmod(0o755)
    return wrapper


def run(haproxy: str, host: str, arguments: list[str]) -> None:
    """Harden the configuration file among ``arguments`` and become ``haproxy``."""
    if "-f" in arguments:
        file = Path(arguments[arguments.index("-f") + 1])
        file.write_text(hardened(file.read_text(), Path(arguments[0]).parent, host))
    os.execv(haproxy, [haproxy, *arguments[1:]])


def _error_file(directory: Path, status: int) -> Path:
    return directory / f"{status}.http"


def error(status: int) -> bytes:
    """The whole HTTP response with which HAProxy's own ``status`` is told."""
    line, kind, code, message = _ERRORS[status]
    return response(
        line, json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}})
    )


def response(line: str, body: str) -> bytes:
    """A whole HTTP response of JSON, after which the connection is closed."""
    headers = ["content-type: application/json", f"content-length: {len(body)}", "cache-control: no-store"]
    if line.startswith("503"):
        headers.append("retry-after: 1")
    return "\r\n".join([f"HTTP/1.1 {line}", *headers, "connection: close", "", body]).encode()
