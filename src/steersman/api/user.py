"""Who makes a request."""

from __future__ import annotations

import msgspec


class User(msgspec.Struct, frozen=True):
    """An authenticated caller (``authentication.k8s.io`` UserInfo)."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: dict[str, list[str]] = {}


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))
