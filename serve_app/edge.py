"""HAProxy as this server wants it: Ray writes its configuration, and this hardens it on the way.

Ray starts the program named by RAY_SERVE_HAPROXY_BINARY_PATH; `install` puts a wrapper there that
edits the configuration file and becomes the real HAProxy. Clients lose the two headers by which
they could switch timeouts and cancellation off, headers must arrive in time, errors are JSON, and
what is not the public port is bound to loopback. Runs without any package: standard library only.
"""

import json
import os
import re
import sys
from pathlib import Path

HEADER_TIMEOUT_S = 10
REMOVED_HEADERS = ("x-request-timeout-seconds", "x-request-disconnect-disabled")

_ERRORS = {  # status HAProxy would send -> status, code and message that the client gets
    400: (400, "invalid_http", "The request is not valid HTTP, or its headers are too long."),
    408: (408, "header_timeout", "The headers did not arrive in time."),
    500: (503, "stage_unavailable", "The server failed before it could answer."),
    502: (503, "stage_unavailable", "The server ended the connection before it answered."),
    503: (503, "not_ready", "The server is starting."),
    504: (504, "deadline_exceeded", "The server did not answer in time."),
}


def hardened(config: str) -> str:
    """Ray's HAProxy configuration with this server's edits. Harmless when applied twice."""
    config = re.sub(r"(?m)^(\s*bind )\*?:(\d+)$", r"\g<1>127.0.0.1:\2", config)  # metrics and statistics
    config = re.sub(r"(?m)^\s*errorfile .*\n", "", config)
    config = re.sub(r'(?m)^(\s*http-request return )status 404 .*"Path .*$', rf"\g<1>{_reply(503)}", config)
    if f"timeout http-request {HEADER_TIMEOUT_S}s" in config:
        return config
    errors = "".join(f"    http-error status {status} {_body(status)}\n" for status in _ERRORS)
    config = re.sub(r"(?m)^defaults\n", lambda found: found[0] + errors, config)
    guards = f"    timeout http-request {HEADER_TIMEOUT_S}s\n" + "".join(
        f"    http-request del-header {name}\n" for name in REMOVED_HEADERS
    )
    return re.sub(r"(?m)^frontend http_frontend\n\s*bind .*\n", lambda found: found[0] + guards, config)


def install(directory: Path, haproxy: str) -> Path:
    """Write the wrapper of the real ``haproxy`` into ``directory``; returns its path."""
    python = directory / "python"  # a short path: the kernel limits the length of a #! line
    python.symlink_to(sys.executable)
    wrapper = directory / "haproxy"
    package = str(Path(__file__).resolve().parents[1])
    wrapper.write_text(
        f"#!{python} -ISB\n"
        f"import sys\nsys.path.insert(0, {package!r})\n"
        f"from serve_app.edge import run\nrun({haproxy!r}, sys.argv)\n"
    )
    wrapper.chmod(0o755)
    return wrapper


def run(haproxy: str, arguments: list[str]) -> None:
    """Harden the configuration file among ``arguments`` and become ``haproxy``."""
    if "-f" in arguments:
        file = Path(arguments[arguments.index("-f") + 1])
        file.write_text(hardened(file.read_text()))
    os.execv(haproxy, [haproxy, *arguments[1:]])


def _reply(status: int) -> str:
    return f"status {_ERRORS[status][0]} {_body(status)} hdr retry-after 1"


def _body(status: int) -> str:
    """HAProxy's arguments for the JSON body of an error."""
    sent, code, message = _ERRORS[status]
    kind = {503: "unavailable_error", 504: "timeout_error"}.get(sent, "invalid_request_error")
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return f"content-type application/json string '{json.dumps(body)}'"
