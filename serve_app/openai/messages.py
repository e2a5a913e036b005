"""Messages of a conversation as OpenAI's clients send them; strict, and text or pictures only.

Descriptions complete the sentence "``field`` must be ..." in error messages. It does not know what
becomes of a message.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from arr_coc.types import Detail

MAX_PARTS = 64  # of one message

Ignored = Annotated[Any, Field(description="any value; it is ignored")]


class Taken(BaseModel):
    """Something that a client sends: no coercion, no unknown field."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


def text_or_list(value: Any) -> str:
    """The tag of a union of text and a list. Tags stand in angle brackets, which tells them from
    fields in the place of an error."""
    return "<list>" if isinstance(value, list) else "<text>"


def _text_or_image(part: Any) -> str | None:
    kind = part.get("type") if isinstance(part, dict) else None
    return f"<{kind}>" if kind in ("text", "image_url") else None


class TextPart(Taken):
    """Text within a message."""

    type: Annotated[Literal["text"], Field(description="text")]
    text: Annotated[str, Field(description="text")]


class ImageUrl(Taken):
    """A picture and how closely it shall be looked at.

    ``low`` is one view of 64 visual tokens; ``auto`` the model's default for the picture's size;
    ``high`` up to half of what the server's context holds. ``arr_coc.visual_token_budget`` goes
    before it.
    """

    url: Annotated[str, Field(description="a data URL: data:image/...;base64, followed by base64")]
    detail: Annotated[Detail | None, Field(description="low, high or auto")] = "auto"


class ImagePart(Taken):
    """A picture within a message."""

    type: Literal["image_url"]
    image_url: Annotated[ImageUrl, Field(description="an object with a url")]


Part = Annotated[
    Annotated[TextPart, Tag("<text>")] | Annotated[ImagePart, Tag("<image_url>")],
    Discriminator(_text_or_image),
]
_TextOr = Annotated[str, Tag("<text>")]
_CONTENT = Field(description=f"text, or a list of 1 to {MAX_PARTS} parts")
_PARTS = Field(min_length=1, max_length=MAX_PARTS)
_TextContent = Annotated[
    _TextOr | Annotated[list[TextPart], Tag("<list>"), _PARTS], Discriminator(text_or_list), _CONTENT
]
_Content = Annotated[
    _TextOr | Annotated[list[Part], Tag("<list>"), _PARTS], Discriminator(text_or_list), _CONTENT
]


class SystemMessage(Taken):
    """What the model is told about its task; most chat templates take it as the first message only."""

    role: Literal["system", "developer"]
    content: _TextContent
    name: Ignored = None


class UserMessage(Taken):
    """What the user says and shows."""

    role: Literal["user"]
    content: _Content
    name: Ignored = None


class AssistantMessage(Taken):
    """An earlier answer, as a completion gave it."""

    role: Literal["assistant"]
    content: _TextContent
    name: Ignored = None
    refusal: Ignored = None
    annotations: Ignored = None
    audio: Annotated[None, Field(description="null: answers are text")] = None
    function_call: Annotated[None, Field(description="null: no tools are called")] = None
    tool_calls: Annotated[list[Any] | None, Field(max_length=0, description="empty: no tools are called")] = (
        None
    )


Message = Annotated[SystemMessage | UserMessage | AssistantMessage, Field(discriminator="role")]
