"""The schema of one version of a custom resource, in the forms in which it is used; each made when first asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from steersman.api.errors import bad_request
from steersman.api.unstructured import Tree
from steersman.apiserver.extensions.structural import Compiler, NotCoercible, StructuralSchema, compile_schema


class SchemaModel:
    """See :class:`steersman.api.unstructured.Model`.

    ``load`` gives the OpenAPI schema, empty where there is none.  With ``preserve`` nothing is pruned.
    """

    def __init__(self, load: Callable[[], Mapping[str, Any]], compiler: Compiler, *, preserve: bool = False) -> None:
        self._load = load
        self._compiler = compiler
        self._preserve = preserve

    @property
    def openapi(self) -> Mapping[str, Any]:
        """The schema as it was declared."""
        return self._load()

    @cached_property
    def schema(self) -> StructuralSchema:
        """The compiled schema.  One with rules takes a tenth of a second or more: :meth:`prepare` first."""
        return compile_schema(self._load(), self._compiler)

    @property
    def prepared(self) -> bool:
        """Whether the schema has been compiled."""
        return "schema" in self.__dict__

    async def prepare(self) -> None:
        """Compile the schema in a thread."""
        if not self.prepared:
            await asyncio.to_thread(getattr, self, "schema")

    def prune(self, tree: Tree, *, stored: bool = False) -> list[str]:
        """Remove what the schema does not know, in place; returns the paths removed."""
        if self._preserve:
            return []
        try:
            return self.schema.prune(tree, drop=stored)
        except NotCoercible as fault:
            raise bad_request(str(fault.error)) from None

    def default(self, tree: Tree) -> None:
        """Set what is missing and has a default, in place."""
        self.schema.default(tree)
