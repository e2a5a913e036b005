"""Logging in every process of the server: one line an event, on standard error.

Ray carries the lines of its processes to the one that was started. It does not know what is logged.
"""

import logging
import sys

from arr_coc.errors import ArrCocError

_OURS = ("serve_app", "deployments", "arr_coc")


def configure_logging() -> None:
    """This project's events and everybody's warnings. A typed error is an answer, not an incident:
    Ray Serve's traceback of it is left out."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    for name in _OURS:
        logging.getLogger(name).setLevel(logging.INFO)
    logging.getLogger("ray.serve").addFilter(_unexpected)


def _unexpected(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], ArrCocError))
