"""The versions of one kind of custom resources, and how objects of one become those of another.

Objects are stored in the version that their definition names for it, older ones in that of their time.  As upstream
has it, what is read is pruned and completed as *its own* version has it (so a default that was declared later is
there), then converted, then pruned again; what is written is converted and pruned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import msgspec

from steersman.api import codecs
from steersman.api.unstructured import Tree, Unstructured, from_tree, to_tree
from steersman.apiserver.registry.heavy import HeavyWork, is_large
from steersman.apiserver.registry.lacking import Lacking, supplied
from steersman.apiserver.registry.reading import unavailable
from steersman.storage.store import Unconvertible

from .model import SchemaModel

_decode = msgspec.json.Decoder().decode

_HEADER = ("apiVersion", "kind", "metadata")

_SLICE = 64 * 1024
"""After so many bytes of JSON the event loop gets its turn."""


class Converter(Protocol):
    """Converts JSON data of objects where more than their ``apiVersion`` changes."""

    def recall(self, tree: Tree, target: str) -> Tree | None:
        """The result where it is known already."""
        ...

    async def convert(self, trees: Sequence[Tree], target: str) -> list[Tree]:
        """The results; raises Unconvertible."""
        ...


class Unconverted(Lacking):
    """An object in another version."""

    def __init__(self, converter: Converter, tree: Tree, target: str) -> None:
        super().__init__(f"an object in {target}")
        self._converter = converter
        self._tree = tree
        self._target = target

    async def supply(self) -> None:
        try:
            await self._converter.convert([self._tree], self._target)
        except Unconvertible as error:
            raise unavailable(error) from error


class Unprepared(Lacking):
    """The schema of a version, which takes long to compile."""

    def __init__(self, model: SchemaModel) -> None:
        super().__init__("a schema")
        self._model = model

    async def supply(self) -> None:
        await self._model.prepare()


class Versions:
    """Their types and schemas; without a ``converter``, objects change nothing but their ``apiVersion``.

    What is a plain function raises :class:`Lacking` where it would have to wait for a conversion, or a schema.
    """

    def __init__(
        self,
        types: Mapping[str, type[Unstructured]],
        models: Mapping[str, SchemaModel],
        stored: str,
        converter: Converter | None = None,
        heavy: HeavyWork | None = None,
    ) -> None:
        self.types = types
        self.models = models
        self.stored = stored
        self.converter = converter
        self._heavy = heavy or HeavyWork()
        header = codecs.encode(types[stored]())
        self._stored_header = header[: header.index(b',"metadata"')]

    # -- between the store and a version -------------------------------------------------------------------------

    def read(self, value: bytes, version: str) -> bytes:
        """A stored value in a version; the value itself where it is that already."""
        tree = self._opened(value, version)
        foreign = tree["apiVersion"] != version
        if foreign:
            tree = self._converted(tree, version)
        return self._shown(value, tree, version, foreign=foreign)

    async def read_all(self, values: Sequence[bytes], version: str) -> list[bytes]:
        """Stored values in a version; those that need it are converted together.  Raises Unconvertible."""
        trees: list[Tree] = []
        size = 0
        for value in values:
            trees.append(await supplied(partial(self._opened, value, version), self._elsewhere(value)))
            size = await _pause(size + len(value))
        foreign = [index for index, tree in enumerate(trees) if tree["apiVersion"] != version]
        converted = iter(await self.convert([trees[index] for index in foreign], version) if foreign else ())
        result = []
        for value, tree in zip(values, trees, strict=True):
            is_foreign = tree["apiVersion"] != version
            found = next(converted) if is_foreign else tree
            show = partial(self._shown, value, found, version, foreign=is_foreign)
            elsewhere = self._elsewhere(value)
            result.append(await elsewhere(show) if elsewhere is not None else show())
            size = await _pause(size + len(value))
        return result

    async def write(self, value: bytes, version: str) -> bytes:
        """What is stored of a value in a version; raises Unconvertible, and StatusError for what cannot be stored."""
        if version == self.stored:
            return value
        tree = (await self.convert([_decode(value)], self.stored))[0]
        return codecs.encode(self._pruned(tree, self.stored))

    async def read_back(self, value: bytes, version: str) -> bytes:
        """A value in a version as it will be read when it has been stored; raises Unconvertible."""
        return (await self.read_all([await self.write(value, version)], version))[0]

    def is_outdated(self, stored: bytes, shown: bytes, version: str) -> bool:
        """Whether a value would be stored otherwise today, as far as what it looks like in a version tells."""
        return not stored.startswith(self._stored_header) or (version == self.stored and shown is not stored)

    def _opened(self, value: bytes, version: str) -> Tree:
        """The JSON data of a stored value, pruned and completed as its own version has it."""
        tree: Tree = _decode(value)
        own = tree["apiVersion"]
        if own not in self.models:
            if self.converter is not None:
                raise Unconvertible(f"request to convert CR from an invalid group/version: {own}")
            own = tree["apiVersion"] = version  # what somebody said is stored no longer: nothing but its name is gone
        model = self._prepared(own)
        content = {name: each for name, each in tree.items() if name not in _HEADER}
        model.prune(content, stored=True)
        model.default(content)
        return {"apiVersion": own, "kind": tree["kind"], "metadata": tree.get("metadata") or {}, **content}

    def _shown(self, value: bytes, tree: Tree, version: str, *, foreign: bool) -> bytes:
        obj = from_tree(self.types[version], tree)
        if foreign:
            self._prepared(version).prune(obj.content, stored=True)
        result = codecs.encode(obj)
        return value if result == value else result

    def _elsewhere(self, value: bytes) -> Callable[[Callable[[], Any]], Awaitable[Any]] | None:
        """Where a value is worked on, None where that takes no time."""
        return self._heavy.do if is_large(value) else None

    # -- between versions ----------------------------------------------------------------------------------------

    def converted(self, obj: Unstructured, version: str) -> Unstructured:
        """An object in another version, without what is unknown there."""
        own = obj if self.converter is not None else codecs.copy(obj)
        return self._pruned(self._converted(to_tree(own), version), version)

    async def convert(self, trees: Sequence[Tree], version: str) -> list[Tree]:
        """JSON data of objects in another version; raises Unconvertible."""
        await self.models[version].prepare()
        if self.converter is None:
            return [{**tree, "apiVersion": version} for tree in trees]
        return await self.converter.convert(trees, version)

    def _converted(self, tree: Tree, version: str) -> Tree:
        if self.converter is None:
            return {**tree, "apiVersion": version}
        found = self.converter.recall(tree, version)
        if found is None:
            raise Unconverted(self.converter, tree, version)
        return found

    def _pruned(self, tree: Tree, version: str) -> Unstructured:
        obj = from_tree(self.types[version], tree)
        self._prepared(version).prune(obj.content)
        return obj

    def _prepared(self, version: str) -> SchemaModel:
        model = self.models[version]
        if not model.prepared:
            raise Unprepared(model)
        return model


async def _pause(size: int) -> int:
    """Give the loop its turn after much work; how much has been done since."""
    if size < _SLICE:
        return size
    await asyncio.sleep(0)
    return 0
