"""``serve run`` on the bundled config: the same application, started by Ray's own command."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import yaml
from PIL import Image

from tests.system.server import ROOT, free_port

pytestmark = pytest.mark.system


def test_serve_run_serves_the_bundled_config(tmp_path: Path) -> None:
    content = yaml.safe_load((ROOT / "configs" / "local.yaml").read_text())
    content["http_options"]["port"] = port = free_port()
    config = tmp_path / "local.yaml"
    config.write_text(yaml.safe_dump(content))
    command = [str(Path(sys.executable).parent / "serve"), "run", str(config)]
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, start_new_session=True)
    try:
        _wait(f"http://127.0.0.1:{port}/health", log)
        file = io.BytesIO()
        Image.new("RGB", (256, 256), "white").save(file, format="PNG")
        form = {"query": "how many shapes are there?"}
        reply = httpx.post(
            f"http://127.0.0.1:{port}/vqa", data=form, files={"image": file.getvalue()}, timeout=60
        )
        assert reply.status_code == 200
        assert reply.json()["answer"]
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(90)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _wait(url: str, log: Path) -> None:
    ends = time.monotonic() + 180
    while time.monotonic() < ends:
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.3)
    raise AssertionError(log.read_text())
