"""Defaults."""

from typing import Any


def apply_defaults(obj: Any) -> None:
    """Set what the schema leaves to the server, in place."""
