"""The RayService as KubeRay takes it, rendered from the server's own config.

https://docs.ray.io/en/latest/cluster/kubernetes/getting-started/rayservice-quick-start.html
"""

import math
from importlib.metadata import version
from typing import Any

import yaml

from serve_app.config_file import ServerFile
from serve_app.environment import OBJECT_STORE_BYTES
from serve_app.kuberay.fitting import Nodes, generation_nodes, require_placeable, texture_nodes

VENV = "/app/.venv/bin"
PATH = f"{VENV}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
USER = 10001  # the image's
DASHBOARD = 8265  # where the operator hands the application over
READY_PERIOD_S = 5
END_S = 30  # beyond the longest request, for a node to end
NODE_IDLE_S = 300  # an empty node is kept for so long
_RAY = {"object-store-memory": str(OBJECT_STORE_BYTES)}  # Ray would take a third of the memory
_LABEL = "arr-coc/service"


def manifests(file: ServerFile) -> list[dict[str, Any]]:
    """The RayService, and the policy of who may reach its nodes. Raises ConfigError."""
    require_placeable(file)
    return [_ray_service(file), _network_policy(file)]


def serve_config(file: ServerFile) -> dict[str, Any]:
    """The application as Ray Serve takes it: what the config file says, and a proxy on every node."""
    elsewhere = {"applications": {"__all__": {"args": {"cloud_run", "kuberay"}}}}
    return {
        "proxy_location": "EveryNode",
        **file.model_dump(mode="json", exclude_unset=True, exclude=elsewhere),
    }


def _ray_service(file: ServerFile) -> dict[str, Any]:
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayService",
        "metadata": {"name": file.name, "namespace": file.app.kuberay.namespace},
        "spec": {
            # a change of the application is rolled out by Ray Serve, in place; a change of the nodes by a
            # second cluster beside the first, which gets the requests when it is ready
            "upgradeStrategy": {"type": "NewCluster"},
            "serveConfigV2": yaml.safe_dump(serve_config(file), sort_keys=False, width=110),
            "rayClusterConfig": _cluster(file),
        },
    }


def _cluster(file: ServerFile) -> dict[str, Any]:
    app = file.app
    head = Nodes(app.kuberay.head, 0, 1, 1)
    return {
        "rayVersion": version("ray"),
        "authOptions": {"mode": "token"},
        "enableInTreeAutoscaling": True,
        "autoscalerOptions": {
            "version": "v2",
            "idleTimeoutSeconds": NODE_IDLE_S,
            "env": [{"name": "PATH", "value": PATH}],
        },
        "headGroupSpec": {
            "rayStartParams": {"num-cpus": "0", **_RAY},  # no replica that reserves anything
            "template": _pod(file, head, "ray-head"),
        },
        "workerGroupSpecs": [
            _group(file, "texture", texture_nodes(app), app.texture.node_labels),
            _group(file, "generation", generation_nodes(app), app.generation.node_labels),
        ],
    }


def _group(file: ServerFile, name: str, nodes: Nodes, labels: dict[str, str]) -> dict[str, Any]:
    return {
        "groupName": name,
        "replicas": nodes.fewest,
        "minReplicas": nodes.fewest,
        "maxReplicas": nodes.most,
        "labels": labels,
        "rayStartParams": dict(_RAY),
        "template": _pod(file, nodes, "ray-worker"),
    }


def _pod(file: ServerFile, nodes: Nodes, container: str) -> dict[str, Any]:
    run = file.app.kuberay
    spec: dict[str, Any] = {
        "serviceAccountName": run.service_account,
        "terminationGracePeriodSeconds": math.ceil(file.app.deadline_s) + END_S,
        "securityContext": {"runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER},
        "containers": [_container(file, nodes, container)],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    if nodes.gpus:
        spec["nodeSelector"] = {"cloud.google.com/gke-accelerator": run.gpu}
        spec["tolerations"] = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    annotations = {"ray.io/overwrite-container-cmd": "true"}
    return {"metadata": {"labels": {_LABEL: file.name}, "annotations": annotations}, "spec": spec}


def _container(file: ServerFile, nodes: Nodes, name: str) -> dict[str, Any]:
    port = file.http_options.port
    limits = {"cpu": str(nodes.size.cpu), "memory": f"{nodes.size.memory_gib}Gi"}
    if nodes.gpus:
        limits["nvidia.com/gpu"] = str(nodes.gpus)
    container: dict[str, Any] = {
        "name": name,
        "image": file.app.kuberay.image,
        "command": [f"{VENV}/python", "-m", "serve_app.kuberay.node"],
        "env": [{"name": "PATH", "value": PATH}],
        "ports": [{"name": "serve", "containerPort": port}],
        "resources": {"requests": limits, "limits": limits},
        "securityContext": {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }
    if name == "ray-worker":  # the operator's own probe needs wget, which the image has not
        container["readinessProbe"] = {
            "httpGet": {"path": "/-/healthz", "port": port},
            "periodSeconds": READY_PERIOD_S,
        }
    else:
        container["ports"] += [
            {"name": "gcs-server", "containerPort": 6379},
            {"name": "dashboard", "containerPort": DASHBOARD},
        ]
    return container


def _network_policy(file: ServerFile) -> dict[str, Any]:
    """Ray Serve's replicas unpickle what they are sent, so only nodes of the cluster may reach them."""
    ours = {"matchLabels": {_LABEL: file.name}}
    operator = {"matchLabels": {"kubernetes.io/metadata.name": file.app.kuberay.operator_namespace}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": file.name, "namespace": file.app.kuberay.namespace},
        "spec": {
            "podSelector": ours,
            "policyTypes": ["Ingress"],
            "ingress": [
                {"from": [{"podSelector": ours}]},
                {"ports": [{"port": file.http_options.port}]},
                {"from": [{"namespaceSelector": operator}]},
            ],
        },
    }
