"""Well-formed chat requests."""

from typing import Any

from tests.serve_app.fakes import data_url

PICTURE = {"type": "image_url", "image_url": {"url": data_url()}}


def text(said: str) -> dict[str, Any]:
    """A part that is text."""
    return {"type": "text", "text": said}


def user(*parts: Any) -> dict[str, Any]:
    """A user's message of these parts."""
    return {"role": "user", "content": list(parts)}


def chat(**fields: Any) -> dict[str, Any]:
    """A well-formed request about a picture, with ``fields`` changed."""
    return {"model": "fake", "messages": [user(PICTURE, text("what is it"))], **fields}
