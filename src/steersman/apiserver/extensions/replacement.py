"""Giving an object new content where others hold on to it."""

from __future__ import annotations

from typing import Any

from steersman.api.unstructured import Unstructured


def replace(obj: Any, new: Any) -> None:
    """Give an object the content of another one of its type: who holds it, or its metadata, sees the change."""
    if (metadata := getattr(obj, "metadata", None)) is not None:
        for name in metadata.__struct_fields__:
            setattr(metadata, name, getattr(new.metadata, name))
    if isinstance(obj, Unstructured):
        obj.content = new.content
        return
    for name in obj.__struct_fields__:
        if name != "metadata":
            setattr(obj, name, getattr(new, name))
