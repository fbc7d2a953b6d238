"""What every group of rows gets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from .processes import Processes


class Unavailable(Exception):
    """This machine cannot measure a group; the message says why."""


class Setting(NamedTuple):
    """Where a group may write, who ends its processes, where to say what it is doing, and the rows that are wanted."""

    directory: Path
    processes: Processes
    say: Callable[[str], None]
    wanted: frozenset[str]

    def wants(self, *names: str) -> bool:
        """Whether any of these rows is to be measured."""
        return any(name in self.wanted for name in names)
