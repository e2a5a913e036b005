"""`arr-coc doctor` on this machine."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.arr_coc import tiny_clip
from tests.serve_app.cli.command import invoke


def write(path: Path, port: int, **args: object) -> Path:
    application = {"import_path": "serve_app.app:build", "args": args}
    content = {"http_options": {"host": "127.0.0.1", "port": port}, "applications": [application]}
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
    return number


@pytest.fixture(autouse=True)
def no_port_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORT", raising=False)


def test_a_config_that_can_be_served_has_no_problem(tmp_path: Path, port: int) -> None:
    told = invoke("doctor", write(tmp_path / "config.yaml", port, model={"device": "cpu"}))
    assert told.exit_code == 0, told.stdout
    for check in (
        "python",
        "packages",
        "haproxy",
        "shared memory",
        "config",
        "port",
        "cuda",
        "model",
        "memory",
    ):
        assert f" {check} " in told.stdout
    assert "problem" not in told.stdout


def test_a_config_that_only_embeds_is_looked_at_to_the_end(tmp_path: Path, port: int) -> None:
    model = tiny_clip.write("clip", tmp_path / "clip")
    config = write(
        tmp_path / "config.yaml", port, embedding={"source": str(model), "alone": True, "device": "cpu"}
    )
    told = invoke("doctor", config)
    assert told.exit_code == 0, told.stdout
    assert " embedding " in told.stdout
    assert " model " not in told.stdout


def test_json_tells_the_same_and_the_exit_code_a_problem(tmp_path: Path, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        told = invoke("doctor", write(tmp_path / "config.yaml", port), "--json")
    assert told.exit_code == 1
    findings = {finding["check"]: finding for finding in json.loads(told.stdout)}
    assert findings["port"]["level"] == "problem"
    assert findings["port"]["remedy"]
    assert findings["model"]["level"] == "ok"


def test_without_a_config_the_machine_is_still_looked_at(tmp_path: Path) -> None:
    told = invoke("doctor", tmp_path / "nothing.yaml")
    assert told.exit_code == 1
    assert "No such file" in told.stdout
    assert "haproxy" in told.stdout


def test_the_port_of_the_environment_is_the_one_that_counts(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", str(port))
    told = invoke("doctor", write(tmp_path / "config.yaml", 1))
    assert f"127.0.0.1:{port} is free" in told.stdout


def test_ray_and_torch_are_not_loaded_for_it() -> None:
    code = (
        "import sys; from serve_app.cli.doctor.command import examine; from pathlib import Path;"
        "list(examine(Path('configs/local.yaml')));"
        "print([name for name in ('ray', 'torch', 'transformers') if name in sys.modules])"
    )
    root = Path(__file__).parents[4]
    told = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=60)
    assert told.stdout.strip() == "[]", told.stderr
