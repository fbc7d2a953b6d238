"""Which requests are meant: by verb, object, and who asks."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple, TypedDict

import msgspec

Pattern = str | Sequence[str]
"""A text, perhaps with ``*`` and ``?``, or several of which one must fit."""


def fits(pattern: Pattern, text: str) -> bool:
    """Whether a text is what was asked for."""
    if isinstance(pattern, str):
        return pattern in ("*", text) or fnmatchcase(text, pattern)
    return any(fits(each, text) for each in pattern)


class Asked(NamedTuple):
    """What somebody asks.  ``path`` is empty for those who do not ask over HTTPS.

    ``name`` is also that of what shall be made.  Where the server is to make one of a ``generateName``, which it has
    not done yet, it is that: ``web-*`` is meant by it, too.
    """

    verb: str
    user: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    user_agent: str = ""
    path: str = ""


class _Metadata(msgspec.Struct, rename="camel"):
    name: str = ""
    generate_name: str = ""


class _Named(msgspec.Struct):
    metadata: _Metadata


_named = msgspec.json.Decoder(_Named).decode


def named_in(body: bytes) -> str:
    """The name of what shall be made, or what it shall begin with, where its JSON says that."""
    try:
        metadata = _named(body).metadata
    except msgspec.DecodeError:
        return ""
    return metadata.name or metadata.generate_name


class Where(TypedDict, total=False):
    """How to say which: each is a text, perhaps with ``*`` and ``?``, or several texts; what is not said fits all.

    ``resource`` is ``deployments`` or ``deployments.apps``.  A ``subresource`` is meant only where it is said.
    """

    verb: Pattern
    resource: Pattern
    subresource: Pattern
    namespace: Pattern
    name: Pattern
    user: Pattern
    user_agent: Pattern
    path: Pattern


class Selection(msgspec.Struct, frozen=True):
    """See :class:`Where`."""

    verb: Pattern = "*"
    resource: Pattern = "*"
    subresource: Pattern | None = None
    namespace: Pattern = "*"
    name: Pattern = "*"
    user: Pattern = "*"
    user_agent: Pattern = "*"
    path: Pattern = "*"

    def chooses(self, asked: Asked) -> bool:
        """Whether a request is meant."""
        return (
            fits(self.verb, asked.verb)
            and (fits(self.resource, asked.resource) or fits(self.resource, f"{asked.resource}.{asked.group}"))
            and self._has_subresource(asked.subresource)
            and fits(self.namespace, asked.namespace)
            and fits(self.name, asked.name)
            and fits(self.user, asked.user)
            and fits(self.user_agent, asked.user_agent)
            and fits(self.path, asked.path)
        )

    def _has_subresource(self, subresource: str) -> bool:
        if self.subresource is None:
            # Who means the Deployments does not mean their status; who means everything does.
            return not subresource or self.resource == "*"
        return fits(self.subresource, subresource)

    def __str__(self) -> str:
        said = (
            f"{name}={value!r}" for name in self.__struct_fields__ if (value := getattr(self, name)) not in ("*", None)
        )
        return ", ".join(said) or "everything"
