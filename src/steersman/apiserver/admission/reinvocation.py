"""Asking those who change objects a second time, because somebody changed them since (KEP-492, KEP-3962).

There are two rounds at most.  In the second one all plugins of the server's own are asked; of what people configured
only what was asked in the first round and wants to be asked again (``reinvocationPolicy: IfNeeded``), and only where
the object is no longer what it was then.
"""

from __future__ import annotations

from collections.abc import Hashable

from steersman.api import codecs


class Invocations:
    """Whom one plugin has asked, by what identifies them."""

    def __init__(self) -> None:
        self._asked: set[Hashable] = set()
        self._due: set[Hashable] = set()
        self._left: bytes | None = None

    def changed(self) -> None:
        """The object is another one: all that were asked before are to be asked again, if there is a second round."""
        self._due |= self._asked
        self._asked = set()

    def note(self, key: Hashable) -> None:
        """One that wants to be asked again was asked."""
        self._asked.add(key)

    def is_due(self, key: Hashable) -> bool:
        """Whether the second round has one to ask."""
        return key in self._due

    def begin(self, obj: object) -> None:
        """The plugin gets its turn in the second round."""
        if self._left is not None and self._left != _text(obj):
            self.changed()

    def end(self, obj: object) -> None:
        """The plugin has done."""
        self._left = _text(obj)


class Reinvocation:
    """One request's rounds."""

    def __init__(self) -> None:
        self.round = 0
        self.wanted = False
        """Whether something that people configured changed the object."""
        self._of: dict[str, Invocations] = {}

    @property
    def again(self) -> bool:
        """Whether this is the second round."""
        return self.round > 0

    def of(self, plugin: str) -> Invocations:
        """What a plugin has to remember."""
        return self._of.setdefault(plugin, Invocations())


def _text(obj: object) -> bytes:
    return codecs.encode(obj) if obj is not None else b""
