"""Documents in JSON, collected piece by piece."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from .schemas import Dialect
from .writer import Piece

TITLE = "Kubernetes"
SECURITY = {"BearerToken": {"in": "header", "name": "authorization", "type": "apiKey"}}


class Document(Protocol):
    """A document on its way."""

    def add(self, piece: Piece) -> None:
        """Write a piece."""
        ...

    def finish(self) -> bytes:
        """The whole."""
        ...


class JSONDocument:
    """Collects a document of either version as JSON."""

    def __init__(self, dialect: Dialect, version: str) -> None:
        self._v3 = dialect == "v3"
        self._version = version
        self._sections: dict[str, dict[str, bytes]] = {"paths": {}, "definitions": {}, "parameters": {}}

    def add(self, piece: Piece) -> None:
        """Write a piece."""
        self._sections[piece.section][piece.name] = msgspec.json.encode(piece.value)

    def finish(self) -> bytes:
        """The whole."""
        sections = {
            section: {name: msgspec.Raw(value) for name, value in sorted(pieces.items())}
            for section, pieces in self._sections.items()
        }
        info = {"title": TITLE, "version": self._version}
        paths, definitions = sections["paths"], sections["definitions"]
        document: dict[str, Any]
        if self._v3:
            components = {"schemas": definitions, "securitySchemes": SECURITY}
            document = {"openapi": "3.0.0", "info": info, "paths": paths, "components": components}
        else:
            document = {"swagger": "2.0", "info": info, "paths": paths, "definitions": definitions}
            document |= {"parameters": sections["parameters"], "securityDefinitions": SECURITY}
            document["security"] = [{name: []} for name in SECURITY]
        return msgspec.json.encode(document)
