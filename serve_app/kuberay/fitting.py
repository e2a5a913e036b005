"""How many nodes the stages need, and what could never be placed on them, known before it is tried."""

import math
from dataclasses import dataclass

from arr_coc.errors import ConfigError
from deployments.config import GenerationStageConfig, TextureStageConfig
from serve_app.config import AppConfig
from serve_app.config_file import ServerFile
from serve_app.kuberay.config import NodeSize


@dataclass(frozen=True, slots=True)
class Nodes:
    """A group of nodes for one stage: their size, and between how many there are."""

    size: NodeSize
    gpus: int
    fewest: int
    most: int


def texture_nodes(app: AppConfig) -> Nodes:
    """For all replicas twice at most: an update starts the new ones before it ends the old ones."""
    size = app.kuberay.texture_node
    each = _fitting(size.cpu, app.texture.num_cpus)
    fewest, most = _between(app.texture)
    return Nodes(size, 0, math.ceil(fewest / each), math.ceil(2 * most / each))


def generation_nodes(app: AppConfig) -> Nodes:
    """For all replicas once: an update replaces one after another, since no accelerator is spare."""
    size, stage = app.kuberay.generation_node, app.generation
    gpus = math.ceil(stage.num_gpus)
    each = min(_fitting(size.cpu, stage.num_cpus), _fitting(gpus, stage.num_gpus))
    fewest, most = _between(stage)
    return Nodes(size, gpus, math.ceil(fewest / each), math.ceil(most / each))


def require_placeable(file: ServerFile) -> None:
    """Raises ConfigError, with one line for the operator, where the service could not run as configured."""
    app = file.app
    trouble = _shape(file) or _stage("texture", app.texture, app.kuberay.texture_node)
    trouble = trouble or _stage("generation", app.generation, app.kuberay.generation_node)
    if trouble:
        raise ConfigError(trouble)


def _shape(file: ServerFile) -> str | None:
    app = file.app
    if app.kuberay.image is None:
        return "kuberay.image must say where the image is"
    if file.http_options.host != "0.0.0.0":
        return "http_options.host must be 0.0.0.0: nodes reach each other's replicas"
    if not app.generates:
        return "embedding.alone cannot be served here: nodes are for the texture and generation stages"
    if app.embedding.source is not None and app.embedding.num_gpus > 0:
        return "embedding.num_gpus must be 0: no group of nodes has a GPU for the embedding stage"
    if (app.kuberay.gpu is None) != (app.generation.num_gpus == 0):
        return "kuberay.gpu and generation.num_gpus must both ask for a GPU, or neither"
    if app.texture.node_labels == app.generation.node_labels:
        return "texture.node_labels and generation.node_labels must tell the stages' nodes apart"
    return None


def _stage(name: str, stage: TextureStageConfig | GenerationStageConfig, node: NodeSize) -> str | None:
    if not stage.node_labels:
        return f"{name}.node_labels must name the nodes of its group"
    if stage.num_cpus == 0:
        return f"{name}.num_cpus must be above 0: nodes are counted by it"
    if stage.num_cpus > node.cpu:
        return f"{name}.num_cpus is more than kuberay.{name}_node.cpu"
    return None


def _between(stage: TextureStageConfig | GenerationStageConfig) -> tuple[int, int]:
    scaling = stage.autoscaling
    return (stage.replicas if scaling is None else scaling.min_replicas), stage.most_replicas


def _fitting(have: float, each: float) -> int:
    """How many fit; one that asks for nothing always does."""
    return int(have // each) if each else 2**31
