"""Releases of the bundled config, changed where a test wants it."""

from pathlib import Path
from typing import Any

from serve_app.cloud_run.service import Release
from serve_app.config_file import ServerFile, read_config

ROOT = Path(__file__).parents[3]
CONFIG = "configs/cloud_run.yaml"


def release(changes: dict[str, Any] | None = None, **http: Any) -> Release:
    """The bundled release with whole sections of its ``args``, or ``http_options``, merged into."""
    content = read_config(ROOT / CONFIG).model_dump()
    args = content["applications"][0]["args"]
    for section, values in (changes or {}).items():
        args[section] = {**args[section], **values} if isinstance(values, dict) else values
    content["http_options"].update(http)
    return Release(ServerFile.model_validate(content), CONFIG, "some-project", "1.2")
