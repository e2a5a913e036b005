"""What an operator may set: the layers' own settings, composed.

Sizes that follow from the engine's are derived here, in one place.
"""

import math
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from arr_coc.decoding import PictureLimits
from arr_coc.engine.config import EngineConfig
from arr_coc.model.config import ModelConfig
from arr_coc.model.source import pin
from deployments.config import EmbeddingStageConfig, GenerationStageConfig, TextureStageConfig, TracingConfig
from serve_app.access.config import AccessConfig
from serve_app.admission import AdmissionConfig
from serve_app.cloud_run.config import CloudRunConfig
from serve_app.kuberay.config import KubeRayConfig
from serve_app.limits import HttpLimits

SHARING = 3  # what ten tenants hold at most over what one may: 1 + 1/2 + ... + 1/10, rounded up
ALONE_DRAIN_S = 7.0  # nobody is served until the next replica is there
HEALTH_CALLS = 64  # concurrent probes and scrapes that an ingress replica answers beside its requests
SAY_LATE_S = 10  # after the deadline, for the server to say so before the platform hangs up


ModelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$")]


class Section(BaseModel):
    """Settings that cannot be changed, and of which a name that is not known is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AppConfig(Section):
    """Everything about the application; the ``args`` of its Serve config."""

    model: ModelConfig = ModelConfig()
    models: dict[ModelName, ModelConfig] = Field(
        default={},
        description="models that requests choose by name; the first one answers where none is named. "
        "With model beside them, that is the first one",
    )
    engine: EngineConfig = EngineConfig()
    pictures: PictureLimits = PictureLimits()
    texture: TextureStageConfig = TextureStageConfig()
    generation: GenerationStageConfig = GenerationStageConfig()
    embedding: EmbeddingStageConfig = EmbeddingStageConfig()
    http: HttpLimits = HttpLimits()
    tracing: TracingConfig = TracingConfig()
    access: AccessConfig = AccessConfig()
    cloud_run: CloudRunConfig = CloudRunConfig()
    kuberay: KubeRayConfig = KubeRayConfig()
    ingress_replicas: int = Field(
        default=1, ge=1, description="processes at the HTTP edge; limits of access are divided among them"
    )
    deadline_s: float = Field(
        default=60.0, gt=0, description="time a request has from its headers on; beyond, 504"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        served = self.served_models
        if self.generates and len(served) < len(self.models) + (
            "model" in self.model_fields_set or not self.models
        ):
            raise ValueError("model and models have a name in common")
        if any(model.name not in (None, name) for name, model in self.models.items()):
            raise ValueError("a model of models has the name that it stands under; leave name out")
        if len({model.device for model in served.values()}) > 1:
            raise ValueError("all models must have the same device: they share its memory")
        if self.generates and self.default_model.device == "cuda" and self.generation.num_gpus == 0:
            raise ValueError("model.device is cuda, so generation.num_gpus must be above 0")
        self._check_embedding()
        if self.pictures.max_bytes > self.http.max_body_bytes:
            raise ValueError("pictures.max_bytes must not exceed http.max_body_mib")
        return self

    def _check_embedding(self) -> None:
        embedding = self.embedding
        if embedding.source is None:
            if embedding.alone:
                raise ValueError("embedding.alone needs an embedding.source")
            return
        if embedding.device == "cuda" and embedding.num_gpus == 0:
            raise ValueError("embedding.device is cuda, so embedding.num_gpus must be above 0")
        if embedding.model.served_name in self.served_models:
            raise ValueError("two models have the same name; set embedding.name")

    @property
    def generates(self) -> bool:
        """Whether a vision-language model is served."""
        return not self.embedding.alone

    def with_pinned_model(self) -> Self:
        """The same, with model sources that name one content for ever, under the same names.

        Asks the network where a source is somewhere else and not pinned yet. Raises ConfigError.
        """
        update: dict[str, object] = {}
        if self.generates:
            update["models"] = {
                name: model.model_copy(update={**_pinned(model), "name": name})
                for name, model in self.models.items()
            }
            if "model" in self.model_fields_set or not self.models:
                update["model"] = self.model.model_copy(update=_pinned(self.model))
        if self.embedding.source is not None:
            update["embedding"] = self.embedding.model_copy(update=_pinned(self.embedding.model))
        return self.model_copy(update=update)

    @property
    def served_models(self) -> dict[str, ModelConfig]:
        """All models that answer, by the names that clients use, the default one first."""
        if not self.generates:
            return {}
        first = (
            {}
            if self.models and "model" not in self.model_fields_set
            else {self.model.served_name: self.model}
        )
        return first | {name: model.model_copy(update={"name": name}) for name, model in self.models.items()}

    @property
    def default_model(self) -> ModelConfig:
        """The one that answers where a request names none."""
        return next(iter(self.served_models.values()))

    @property
    def sources(self) -> tuple[str, ...]:
        """Where all models come from, the one that embeds included."""
        embedding = self.embedding.source
        return (
            *(model.source for model in self.served_models.values()),
            *([] if embedding is None else [embedding]),
        )

    @property
    def num_gpus(self) -> float:
        """GPUs that all stages ask of Ray together, at most; Ray counts ten-thousandths."""
        generation = self.generation.most_replicas * self.generation.num_gpus if self.generates else 0.0
        embedding = self.embedding.num_gpus if self.embedding.source is not None else 0.0
        return round(generation + embedding, 4)

    @property
    def engine_load(self) -> int:
        """Requests that an engine runs and queues; more are refused at the door."""
        return self.engine.slots + self.engine.max_queue

    @property
    def several_engines(self) -> bool:
        """Whether there may be more than one, so that another can do what one has failed to."""
        return self.generation.most_replicas > 1

    @property
    def stage_drain_s(self) -> float:
        """What a replica that Ray replaces may take to finish: where there are others to take new requests
        meanwhile, as long as a request may last."""
        return self.deadline_s if self.several_engines else ALONE_DRAIN_S

    @property
    def admission(self) -> AdmissionConfig:
        """Each ingress replica's share of what one engine takes, and of what each tenant may ask; the door
        is told how many engines there are."""
        replicas = self.ingress_replicas
        each, pace = self.access.max_in_flight, self.access.requests_per_minute
        return AdmissionConfig(
            max_in_flight=math.ceil(self.engine_load / replicas),
            max_in_flight_each=None if each is None else math.ceil(each / replicas),
            per_minute_each=None if pace is None else pace / replicas,
            deadline_s=self.deadline_s,
        )

    @property
    def embedding_admission(self) -> AdmissionConfig:
        """Each ingress replica's share of what the embedding stage takes. A request has one input or more."""
        in_flight = math.ceil(self.embedding.max_queue / self.ingress_replicas)
        return self.admission.model_copy(update={"max_in_flight": in_flight})

    @property
    def embedding_ongoing(self) -> int:
        """Calls in the embedding stage; none where there is none."""
        return SHARING * self.embedding.max_queue if self.embedding.source is not None else 0

    @property
    def stage_ongoing(self) -> int:
        """Calls in a stage: beyond what the engine takes, tenants within their shares still get in."""
        return SHARING * self.engine_load

    @property
    def ingress_ongoing(self) -> int:
        """Calls in an ingress replica. What the door refuses must still get in to be told so."""
        every = (self.stage_ongoing + self.engine_load) * self.generation.most_replicas
        return every + self.embedding_ongoing + HEALTH_CALLS

    @property
    def concurrency(self) -> int:
        """Requests that the platform should send one instance: twice the ideal batch, so that the next one
        is there when a slot is free, and never what the door would refuse."""
        return min(2 * self.engine.slots, self.engine_load)

    @property
    def request_timeout_s(self) -> int:
        """Seconds after which the platform may end a request: the server's own deadline comes first."""
        return math.ceil(self.deadline_s) + SAY_LATE_S


def _pinned(model: ModelConfig) -> dict[str, str]:
    return {"source": pin(model.source), "name": model.served_name}
