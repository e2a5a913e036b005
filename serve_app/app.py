"""The application as Ray Serve runs it: its deployments, bound together.

Annotations here must stay objects (no postponed evaluation): Ray checks a builder's arguments only
where the annotation of its parameter is a class.
"""

import os
import tempfile
from typing import Any

from ray import serve
from ray.serve import Application
from ray.serve.config import AutoscalingConfig, AutoscalingPolicy

from deployments.answerer import Load
from deployments.autoscaling import BacklogPolicy
from deployments.config import GenerationScaling, Scaling, TextureScaling
from deployments.embedding import EmbeddingStage, LoadEmbedding, load_embedder
from deployments.generation import GenerationStage, load_model
from deployments.scraping import DIRECTORY
from deployments.texture import TextureStage
from serve_app.access.keys import Keyring
from serve_app.config import AppConfig
from serve_app.ingress import Ingress


def build(args: AppConfig) -> Application:
    """The application of a config: ``serve run FILE`` calls it with the file's ``args``."""
    return assembled(args, load_model)


def assembled(args: AppConfig, load: Load, load_embedding: LoadEmbedding = load_embedder) -> Application:
    """The deployments; ``load`` makes the model in the generation stage's replica, ``load_embedding`` in the
    embedding stage's, where there are such.

    Keys are read here: only their digests go to other processes. Raises ConfigError."""
    args = args.with_pinned_model()  # all stages load the same; already so under `python -m serve_app`
    keys = Keyring.read(args.access.keys_file, os.environ)
    metrics = os.environ.get(DIRECTORY) or tempfile.mkdtemp(prefix="arr-coc-metrics-")
    embedding = _embedding(args, metrics, load_embedding)
    if not args.generates:
        return _ingress(args, metrics, keys, None, None, embedding)
    models = args.served_models
    texture = _stage(
        args,
        TextureStage,
        max_surge_percent=_surge(args),
        max_ongoing_requests=args.stage_ongoing,
        ray_actor_options={"num_cpus": args.texture.num_cpus, **_placed(args.texture.node_labels)},
        **_replicas(args.texture.replicas, args.texture.autoscaling),
    ).bind(args.texture, models, args.engine, args.pictures, metrics, args.tracing)
    stage = args.generation
    generation = _stage(
        args,
        GenerationStage,
        max_ongoing_requests=args.stage_ongoing,
        ray_actor_options={
            "num_cpus": stage.num_cpus,
            "num_gpus": stage.num_gpus,
            **_placed(stage.node_labels),
        },
        **_replicas(stage.replicas, stage.autoscaling),
    ).bind(models, args.engine, stage, metrics, args.tracing, load, joins_loaded=args.several_engines)
    return _ingress(args, metrics, keys, texture, generation, embedding)


def _embedding(args: AppConfig, metrics: str, load: LoadEmbedding) -> Any:
    """None where nothing embeds."""
    if args.embedding.source is None:
        return None
    return _stage(
        args,
        EmbeddingStage,
        num_replicas=1,
        max_ongoing_requests=args.embedding_ongoing,
        ray_actor_options={"num_cpus": args.embedding.num_cpus, "num_gpus": args.embedding.num_gpus},
    ).bind(args.embedding, args.pictures, metrics, args.tracing, load)


def _ingress(
    args: AppConfig, metrics: str, keys: Keyring | None, texture: Any, generation: Any, embedding: Any
) -> Application:
    application: Application = _stage(
        args,
        Ingress,
        num_replicas=args.ingress_replicas,
        max_ongoing_requests=args.ingress_ongoing,
        max_surge_percent=_surge(args),
        ray_actor_options={"num_cpus": 0, **_placed(args.texture.node_labels)},
    ).bind(texture, generation, args, metrics, keys, embedding)
    return application


def _stage(args: AppConfig, stage: type, **options: Any) -> Any:
    return serve.deployment(
        stage, graceful_shutdown_timeout_s=args.stage_drain_s, graceful_shutdown_wait_loop_s=0.2, **options
    )


def _placed(labels: dict[str, str]) -> dict[str, Any]:
    return {"label_selector": labels} if labels else {}


def _surge(args: AppConfig) -> int:
    """Percent of a stage that an update may start before it ends the old ones: where there are several
    engines, new ones first; a stage could not start without the only GPU."""
    return 100 if args.several_engines else 0


def _replicas(fixed: int, scaling: Scaling | None) -> dict[str, Any]:
    if scaling is None:
        return {"num_replicas": fixed}
    return {"autoscaling_config": autoscaling_config(scaling)}


def autoscaling_config(scaling: Scaling) -> AutoscalingConfig:
    """``scaling`` as Ray Serve takes it: the texture stage by calls under way, the generation stage by
    the policy of ``deployments.autoscaling``."""
    options: dict[str, Any] = {
        "min_replicas": scaling.min_replicas,
        "max_replicas": scaling.max_replicas,
        "upscale_delay_s": scaling.upscale_delay_s,
        "downscale_delay_s": scaling.downscale_delay_s,
        "look_back_period_s": scaling.look_back_s,
    }
    if isinstance(scaling, TextureScaling):
        options["target_ongoing_requests"] = scaling.ongoing_each
    if isinstance(scaling, GenerationScaling):
        options["policy"] = AutoscalingPolicy(
            policy_function=BacklogPolicy, policy_kwargs={"tokens_each": scaling.backlog_tokens_each}
        )
    return AutoscalingConfig(**options)
