"""What an operator may choose under KubeRay. What follows from the server's own settings is not chosen."""

from pydantic import BaseModel, ConfigDict, Field

_NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NodeSize(_Section):
    """One pod of a group: what it asks for is what it may use."""

    cpu: int = Field(ge=1, description="CPUs")
    memory_gib: int = Field(ge=1, description="memory")


class KubeRayConfig(_Section):
    """One RayService: a head, a group of nodes for pictures, a group of nodes with accelerators."""

    image: str | None = Field(default=None, min_length=1, description="where Dockerfile.gpu's image is")
    namespace: str = Field(default="default", pattern=_NAME, description="where all of it runs")
    operator_namespace: str = Field(
        default="default", pattern=_NAME, description="where KubeRay's operator runs; it may reach the head"
    )
    service_account: str = Field(default="arr-coc", pattern=_NAME, description="whose rights the nodes have")
    gpu: str | None = Field(default=None, description="GKE's name of the accelerator, such as nvidia-l4")
    head: NodeSize = Field(
        default=NodeSize(cpu=2, memory_gib=8), description="runs Ray's own processes and the HTTP edge"
    )
    texture_node: NodeSize = Field(
        default=NodeSize(cpu=4, memory_gib=8), description="decodes and measures pictures"
    )
    generation_node: NodeSize = Field(
        default=NodeSize(cpu=8, memory_gib=32), description="owns an accelerator"
    )
