"""How Ray is set up for this server: the environment that it reads.

All of it must be set before the first import of ray. Files of one start lie in one directory,
so that two servers on a machine do not share a proxy.
"""

import secrets
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any

OBJECT_STORE_BYTES = 80 * 2**20  # arrays travel by value; Ray's smallest store is 75 MiB


def variables(run: Path, haproxy: Path) -> dict[str, str]:
    """Environment for a start on this machine alone, whose files lie in ``run``, with ``haproxy`` as the
    ingress."""
    return {
        **of_node(run, haproxy),
        # Ray then takes 127.0.0.1 for the node's address, and all its servers listen there alone
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_AUTH_MODE": "token",  # others on this machine reach loopback too
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }


def of_node(run: Path, haproxy: Path) -> dict[str, str]:
    """Environment of one node of any cluster, whose files lie in ``run``, with ``haproxy`` as the ingress."""
    metrics, statistics, fallback = (str(port) for port in free_ports(3))
    return {
        "ARR_COC_METRICS_DIR": str(run / "metrics"),
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        # a decoded picture is tens of megabytes; Ray's own limit is four
        "RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH": str(2**31 - 1),
        "RAY_SERVE_LOG_TO_STDERR": "1",  # requests are logged by us; what Serve warns of should be seen
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(haproxy),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(run / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(run / "admin.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(run),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(run / "server-state"),
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
        "RAY_SERVE_HAPROXY_METRICS_PORT": metrics,
        "RAY_SERVE_HAPROXY_STATS_PORT": statistics,
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": fallback,
        "RAY_SERVE_HAPROXY_NBTHREAD": "2",
        "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": "8",
        "SERVE_SOCKET_REUSE_PORT_ENABLED": "1",  # it takes the port over from `serve_app.early`
        # the ingress replica is used as soon as it listens
        "RAY_SERVE_HAPROXY_HEALTH_CHECK_DOWNINTER": "50ms",
        "RAY_SERVE_HAPROXY_HEALTH_CHECK_RISE": "1",
        "RAY_SERVE_HAPROXY_BROADCAST_COALESCE_S": "0",
        # a replica that is replaced, and the proxy, may take seconds and not half a minute
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
        "RAY_SERVE_PROXY_MIN_DRAINING_PERIOD_S": "1",
        "RAY_SERVE_PORT_QUARANTINE_S": "10",
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",  # on a busy machine a retry helps nobody
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_LOG_TO_STDERR": "1",  # every process's lines as they are, without files and a collector
        "RAY_LOGGER_LEVEL": "warning",
        "RAY_BACKEND_LOG_LEVEL": "fatal",
    }


def serve_logging() -> dict[str, Any]:
    """Ray Serve's own log: warnings; requests are logged by the application."""
    return {"log_level": "WARNING", "enable_access_log": False}


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody listens on now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
