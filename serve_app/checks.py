"""What can be known to fail before anything is started. Imports neither ray nor torch."""

import ctypes
import math
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from arr_coc.errors import ConfigError
from arr_coc.model.source import found
from arr_coc.model.sources.room import free_memory
from arr_coc.profile import ModelProfile
from serve_app.access.keys import Keyring
from serve_app.config_file import HttpOptions, ServerFile, read_config

START_BYTES = 1000 * 2**20
"""What all processes of a start hold beside the model: with the demo model and eight slots their proportional
set sizes were 1,177 MiB together, 440 of them the generation stage's."""


def checked_config(path: Path, environment: Mapping[str, str] = os.environ) -> ServerFile:
    """The config of a server that can start here, on ``$PORT`` where that is set. A model that is
    somewhere else is asked for and pinned, not downloaded.

    Raises ConfigError, with one line for the operator.
    """
    file = checked(on_port(read_config(path), environment.get("PORT", "")))
    require_free(file.http_options)
    return file


def checked(file: ServerFile) -> ServerFile:
    """As ``checked_config``, of a file that was read, and whose port is ours already."""
    require_start_memory()
    file = file.with_pinned_model()
    for model in file.app.served_models.values():
        directory = found(model.source)
        if directory is not None:
            ModelProfile.load(directory)
    if file.app.embedding.source is not None:
        found(file.app.embedding.source)
    Keyring.read(file.app.access.keys_file, os.environ)
    if file.app.tracing.endpoint is not None and not _can_export():
        raise ConfigError(
            "tracing.endpoint is set; spans are sent by arr-coc-serve[tracing], not installed here"
        )
    if file.app.generates and file.app.default_model.device == "cuda" and not gpu_count():
        raise ConfigError("model.device is cuda, and no GPU is usable here")
    if file.app.embedding.device == "cuda" and not gpu_count():
        raise ConfigError("embedding.device is cuda, and no GPU is usable here")
    require_gpus(file.app.num_gpus)
    return file


def require_start_memory(free: int | None = None) -> None:
    """Raises ConfigError where there is less than what the server's processes take before any model is there:
    the kernel would kill one after the other, and the start could hang. What a model takes is checked when its
    size is known."""
    free = free_memory() if free is None else free
    if free < START_BYTES:
        raise ConfigError(
            f"{free / 2**20:.0f} MiB of memory are free, and the server's processes need "
            f"{START_BYTES / 2**20:.0f} MiB, the model not counted; give the machine or the container more"
        )


def require_gpus(asked: float, usable: int | None = None) -> None:
    """Raises ConfigError where the stages ask for more GPUs together than there are: Ray would wait for the
    rest for ever."""
    usable = gpu_count() if asked and usable is None else usable or 0
    if math.ceil(asked) > usable:
        raise ConfigError(
            f"the stages ask for {asked:g} GPUs together (num_gpus of generation and embedding), "
            f"and {usable or 'none'} can be used here"
        )


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
    try:
        with socket.socket(family_of(http.host)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((http.host, http.port))
    except OSError as error:
        raise cannot_listen(http, error) from error


def family_of(host: str) -> socket.AddressFamily:
    """IPv6 for its addresses, IPv4 for everything else."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def cannot_listen(http: HttpOptions, error: OSError) -> ConfigError:
    """What the operator is told."""
    return ConfigError(f"cannot listen on {http.host}:{http.port}: {error.strerror}")
