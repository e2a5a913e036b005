"""What shall be embedded, as OpenAI's clients send it, and pictures beside texts as Jina's API names them.

Strict: no coercion, no unknown field. Descriptions complete the sentence "``field`` must be ..." in error
messages. It does not know what becomes of a request.
"""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from serve_app.openai.messages import Ignored, Taken

INPUT = 'text, {"text": TEXT} or {"image": DATA URL}; token ids are not taken'


def _kind(value: Any) -> str | None:
    """The tag of what may be embedded, in angle brackets: they tell it from fields in an error's place."""
    if isinstance(value, str):
        return "<text>"
    if isinstance(value, list):
        return "<list>"
    if isinstance(value, dict):
        return "<image object>" if "image" in value else "<text object>"
    return None


class TextInput(Taken):
    """A text, beside pictures."""

    text: Annotated[str, Field(min_length=1, description="text of at least one character")]


class ImageInput(Taken):
    """A picture."""

    image: Annotated[
        str,
        Field(
            description="a data URL: data:image/...;base64, followed by base64; or an https URL of a listed host"
        ),
    ]


_One = (
    Annotated[str, Tag("<text>"), Field(min_length=1)]
    | Annotated[TextInput, Tag("<text object>")]
    | Annotated[ImageInput, Tag("<image object>")]
)
_Item = Annotated[_One, Discriminator(_kind)]
Input = Annotated[
    _One | Annotated[list[_Item], Tag("<list>"), Field(min_length=1)],
    Discriminator(_kind),
    Field(description=f"{INPUT}; or a list of such"),
]


class EmbeddingsRequest(Taken):
    """The body of ``POST /v1/embeddings``; a null is a field left out."""

    model: Annotated[str, Field(description="the name of the served model")]
    input: Input
    encoding_format: Annotated[Literal["float", "base64"] | None, Field(description="float or base64")] = (
        "float"
    )
    dimensions: Annotated[
        int | None, Field(ge=1, description="the number that the model's vectors have, or left out")
    ] = None
    user: Ignored = None
