"""What is checked of one kind: a row of the table of validation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from . import names
from .faults import Faults, Grammar

Check = Callable[[Faults, Any], None]
Change = Callable[[Faults, Any, Any], None]


class Rules(NamedTuple):
    """How one kind is checked."""

    check: Check | None = None
    """What an object must be."""

    change: Change | None = None
    """What a change must leave as it was; gets the new object and the old one."""

    name: Grammar = names.dns1123_subdomain

    subresources: dict[str, Change] = {}
    """The checks of changes through a subresource."""

    create: Check | None = None
    """What a new object must be besides."""

    recheck: bool = True
    """Whether ``check`` also applies to what a change leads to; otherwise ``change`` says all."""

    change_first: bool = False
    """Whether what a change must leave is told before what an object must be."""
