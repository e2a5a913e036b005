"""The application as Ray Serve runs it: its deployments, bound together.

Annotations here must stay objects (no postponed evaluation): Ray checks a builder's arguments only
where the annotation of its parameter is a class.
"""

import os
import tempfile
from typing import Any

from ray import serve
from ray.serve import Application

from deployments.embedding import EmbeddingStage, LoadEmbedding, load_embedder
from deployments.generation import GenerationStage, Load, load_model
from deployments.texture import TextureStage
from serve_app.access.keys import Keyring
from serve_app.config import AppConfig
from serve_app.ingress import Ingress

METRICS_DIRECTORY = "ARR_COC_METRICS_DIR"
DRAIN_S = 7.0  # what a replica that Ray replaces may take to finish


def build(args: AppConfig) -> Application:
    """The application of a config: ``serve run FILE`` calls it with the file's ``args``."""
    return assembled(args, load_model)


def assembled(args: AppConfig, load: Load, load_embedding: LoadEmbedding = load_embedder) -> Application:
    """The deployments; ``load`` makes the model in the generation stage's replica, ``load_embedding`` in the
    embedding stage's, where there are such.

    Keys are read here: only their digests go to other processes. Raises ConfigError."""
    args = args.with_pinned_model()  # all stages load the same; already so under `python -m serve_app`
    keys = Keyring.read(args.access.keys_file, os.environ)
    metrics = os.environ.get(METRICS_DIRECTORY) or tempfile.mkdtemp(prefix="arr-coc-metrics-")
    embedding = _embedding(args, metrics, load_embedding)
    if not args.generates:
        return _ingress(args, metrics, keys, None, None, embedding)
    texture = _stage(
        TextureStage,
        num_replicas=args.texture.replicas,
        max_ongoing_requests=args.stage_ongoing,
        ray_actor_options={"num_cpus": args.texture.num_cpus},
    ).bind(args.texture, args.model, args.engine, args.pictures, metrics, args.tracing)
    generation = _stage(
        GenerationStage,
        num_replicas=1,
        max_ongoing_requests=args.stage_ongoing,
        ray_actor_options={"num_cpus": args.generation.num_cpus, "num_gpus": args.generation.num_gpus},
    ).bind(args.model, args.engine, metrics, args.tracing, load)
    return _ingress(args, metrics, keys, texture, generation, embedding)


def _embedding(args: AppConfig, metrics: str, load: LoadEmbedding) -> Any:
    """None where nothing embeds."""
    if args.embedding.source is None:
        return None
    return _stage(
        EmbeddingStage,
        num_replicas=1,
        max_ongoing_requests=args.embedding_ongoing,
        ray_actor_options={"num_cpus": args.embedding.num_cpus, "num_gpus": args.embedding.num_gpus},
    ).bind(args.embedding, args.pictures, metrics, args.tracing, load)


def _ingress(
    args: AppConfig, metrics: str, keys: Keyring | None, texture: Any, generation: Any, embedding: Any
) -> Application:
    application: Application = _stage(
        Ingress,
        num_replicas=args.ingress_replicas,
        max_ongoing_requests=args.ingress_ongoing,
        ray_actor_options={"num_cpus": 0},
    ).bind(texture, generation, args, metrics, keys, embedding)
    return application


def _stage(stage: type, **options: Any) -> Any:
    return serve.deployment(
        stage, graceful_shutdown_timeout_s=DRAIN_S, graceful_shutdown_wait_loop_s=0.2, **options
    )
