"""``python -m serve_app CONFIG``: serve a config file until a signal; the container's PID 1.

Exit codes: 0 after SIGTERM or SIGINT, 1 where the server failed, 2 where it cannot start as configured.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from arr_coc.errors import ConfigError
from deployments.logs import configure_logging
from serve_app.checks import checked, on_port
from serve_app.config_file import read_config
from serve_app.early import EarlyPort
from serve_app.lifecycle import Server


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told otherwise; returns the exit code.

    ``arguments`` are those of the process where they are not given.
    """
    started = time.monotonic()
    for number in (signal.SIGTERM, signal.SIGINT):  # PID 1 would ignore them; nothing is running yet
        signal.signal(number, lambda *_: os._exit(0))
    parser = argparse.ArgumentParser(prog="python -m serve_app", description="Serve a config file.")
    parser.add_argument("config", type=Path, help="a Ray Serve config file such as configs/local.yaml")
    parser.add_argument(
        "--port", default=os.environ.get("PORT", ""), help="instead of the file's, and of $PORT"
    )
    asked = parser.parse_args(arguments)
    configure_logging()
    try:
        file = on_port(read_config(asked.config), asked.port)
        early = EarlyPort(file.http_options)
        file = checked(file)
    except ConfigError as error:
        print(f"serve_app: {error.message}", file=sys.stderr)
        return 2
    return Server(file, started, early=early).run()


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """Serve, and end the process."""
    code = main(arguments)
    sys.stderr.flush()
    os._exit(code)  # everything has ended; Ray's own exit handlers would wait for it in vain


if __name__ == "__main__":
    run()
