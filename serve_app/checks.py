"""What can be known to fail before anything is started. Imports neither ray nor torch."""

import ctypes
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from arr_coc.errors import ConfigError
from arr_coc.model.source import found
from arr_coc.profile import ModelProfile
from serve_app.access.keys import Keyring
from serve_app.config import HttpOptions, ServerFile, read_config


def checked_config(path: Path, environment: Mapping[str, str] = os.environ) -> ServerFile:
    """The config of a server that can start here, on ``$PORT`` where that is set. A model that is
    somewhere else is asked for and pinned, not downloaded.

    Raises ConfigError, with one line for the operator.
    """
    file = on_port(read_config(path), environment.get("PORT", "")).with_pinned_model()
    directory = found(file.app.model.source) if file.app.generates else None
    if directory is not None:
        ModelProfile.load(directory)
    if file.app.embedding.source is not None:
        found(file.app.embedding.source)
    Keyring.read(file.app.access.keys_file, os.environ)
    if file.app.tracing.endpoint is not None and not _can_export():
        raise ConfigError(
            "tracing.endpoint is set; spans are sent by arr-coc-serve[tracing], not installed here"
        )
    if file.app.generates and file.app.model.device == "cuda" and not gpu_count():
        raise ConfigError("model.device is cuda, and no GPU is usable here")
    if file.app.embedding.device == "cuda" and not gpu_count():
        raise ConfigError("embedding.device is cuda, and no GPU is usable here")
    require_free(file.http_options)
    return file


def _can_export() -> bool:
    with suppress(ImportError):
        import_module("opentelemetry.exporter.otlp.proto.http")
        return True
    return False


def gpu_count() -> int:
    """GPUs that the driver can use; 0 where there is no driver."""
    count = ctypes.c_int(0)
    with suppress(OSError):
        driver = ctypes.CDLL("libcuda.so.1")
        if driver.cuInit(0) == 0:
            driver.cuDeviceGetCount(ctypes.byref(count))
    return count.value


def on_port(file: ServerFile, port: str) -> ServerFile:
    """``file`` with its port replaced, unless ``port`` is empty. Raises ConfigError."""
    if not port:
        return file
    if not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ConfigError(f"PORT must be a number from 1 to 65535, not {port!r}")
    options = file.http_options.model_copy(update={"port": int(port)})
    return file.model_copy(update={"http_options": options})


def require_free(http: HttpOptions) -> None:
    """Raises ConfigError where somebody else listens already, or nobody may."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((http.host, http.port))
        except OSError as error:
            raise ConfigError(f"cannot listen on {http.host}:{http.port}: {error.strerror}") from error
