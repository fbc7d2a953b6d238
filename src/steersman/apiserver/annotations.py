"""What is noted of a request for the audit log, by whoever decides something about it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

log = logging.getLogger(__name__)

Level = Literal["Metadata", "Request", "RequestResponse"]

_KEY = re.compile(
    r"(?=[^/]{1,253}/)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*"
    r"/(?=.{1,63}\Z)[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?",
    re.ASCII,
)


class Annotation(NamedTuple):
    """``level`` is the least at which an audit policy lets it be written."""

    value: str
    level: Level = "Metadata"


class Annotations(Mapping[str, str]):
    """By key, ``domain/name``.  What was said first stands: a decision that is made again may not change the record."""

    def __init__(self) -> None:
        self._noted: dict[str, Annotation] = {}

    def add(self, key: str, value: str, level: Level = "Metadata") -> None:
        """Note something; what may not be noted is logged."""
        if _KEY.fullmatch(key) is None:
            log.warning("the key %r of an audit annotation is not of the form domain/name", key)
            return
        noted = Annotation(value, level)
        if self._noted.setdefault(key, noted) != noted:
            log.debug("the audit annotation %s has another value already", key)

    def at(self, level: Level) -> dict[str, str]:
        """Those that may be written at a level of the audit policy."""
        levels = ("Metadata", "Request", "RequestResponse")
        most = levels.index(level)
        return {key: each.value for key, each in self._noted.items() if levels.index(each.level) <= most}

    def __getitem__(self, key: str) -> str:
        return self._noted[key].value

    def __iter__(self) -> Iterator[str]:
        return iter(self._noted)

    def __len__(self) -> int:
        return len(self._noted)
