"""OpenAPI: ``/openapi/v2`` (JSON, and protobuf for client-go) and ``/openapi/v3`` with a document per group version.

Everything is generated from the scheme and the annotations of the types when first asked for, and kept as bytes until
the scheme changes, or what other servers describe (:mod:`.elsewhere`).  The index of version 3 needs no document: its
hashes are of what the documents are made from.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from steersman import __version__
from steersman.api.scheme import Resource, Scheme
from steersman.apiserver.endpoints.answers import NO_CACHE
from steersman.apiserver.http.messages import Request, Response

from .conversion import version_3
from .documents import Document, JSONDocument
from .elsewhere import Elsewhere, Foreign, joined
from .enums import ENUMS
from .gnostic import ProtobufDocument
from .schemas import Descriptions, Dialect
from .server_paths import ServerPath, server_paths
from .writer import Piece, Section, Writer

__all__ = ["OpenAPI"]

_PROTOBUF = (
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
)


_HASHED = 1 << 17
_ENUMERATED = hashlib.sha256(repr(ENUMS).encode()).hexdigest()

_Described = tuple[list[Resource[Any]], list[ServerPath]]
"""The resources and the other paths of a document."""


class OpenAPI:
    """Answers OpenAPI requests from a scheme; ``is_served`` says which resources are described.

    ``elsewhere`` knows what other servers describe; their version 3 documents are asked of themselves.

    A document is built when it is first asked for, in steps of well under a millisecond (all of them take 0.2 s).
    """

    def __init__(
        self,
        scheme: Scheme,
        *,
        is_served: Callable[[Resource[Any]], bool] | None = None,
        version: str = "v1.35.0",
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._scheme = scheme
        self._is_served = is_served or (lambda resource: resource.served)
        self._version = version
        self._elsewhere = elsewhere
        self._generation = (-1, -1)
        self._documents: dict[str, tuple[bytes, str]] = {}
        self._described: dict[str, _Described] = {}
        self._converted: Mapping[str, bytes] = {}
        """What other servers describe in version 2 alone."""
        self._building = asyncio.Lock()
        source = Descriptions.source()
        self._described_by = 0 if source is None else source.stat().st_size

    def handles(self, path: str) -> bool:
        """Whether a path is one of these."""
        return path == "/openapi/v2" or path == "/openapi/v3" or path.startswith("/openapi/v3/")

    def changed(self) -> None:
        """Forget what has been built: ``is_served`` answers otherwise than before."""
        self._generation = (-1, -1)

    @property
    def _present(self) -> tuple[int, int]:
        return self._scheme.generation, self._elsewhere.generation if self._elsewhere is not None else 0

    async def answer(self, request: Request) -> Response | None:
        """See :meth:`respond`; other tasks have their turn while a document is built."""
        async with self._building:
            for _ in self._steps(request):
                await asyncio.sleep(0)
        return self.respond(request)

    def respond(self, request: Request) -> Response | None:
        """The answer; None where the path is none of these, the method is not GET, or the group is not known."""
        path = request.path.rstrip("/")
        if request.method not in ("GET", "HEAD") or not self.handles(path):
            return None
        for _ in self._steps(request):
            pass
        if path not in ("/openapi/v2", "/openapi/v3") and (redirect := self._redirect(path, request)):
            return redirect
        key = self._key(path, request)
        if key not in self._documents:
            return None
        body, etag = self._documents[key]
        headers = {"ETag": etag, "Vary": "Accept", **NO_CACHE}
        if request.parameter("hash"):
            headers |= {"Cache-Control": "public, immutable", "Expires": "Thu, 31 Dec 2099 23:59:59 GMT"}
        content_type = key.partition(" ")[2] or "application/json"
        if request.headers.get("if-none-match") == etag:
            return Response(b"", 304, content_type, headers)
        return Response(body, 200, content_type, headers)

    @staticmethod
    def _key(path: str, request: Request) -> str:
        """The document's path, with the media type behind a space where it is not JSON."""
        if path != "/openapi/v2":
            return path
        for clause in request.headers.get("accept", "").split(","):
            wanted = clause.partition(";")[0].strip()
            if wanted in _PROTOBUF:
                # The newer name is not a valid media type for Go's parser: the answer bears the older one.
                return f"{path} {_PROTOBUF[-1]}"
            if wanted in ("application/json", "*/*", "application/*"):
                break
        return path

    def _describe(self) -> dict[str, _Described]:
        """What each version 3 document describes, by its path under ``/openapi/v3/``."""
        resources: dict[str, list[Resource[Any]]] = {}
        versions: dict[tuple[str, str], None] = {}
        for resource in self._scheme:
            if (resource.module or resource.custom) and self._is_served(resource):
                prefix = "apis" if resource.group else "api"
                resources.setdefault(f"{prefix}/{resource.group_version}", []).append(resource)
                versions[resource.group, resource.version] = None
        result: dict[str, _Described] = {}
        for other in server_paths(versions):
            result.setdefault(other.document, (resources.get(other.document, []), []))[1].append(other)
        return dict(sorted(result.items()))

    def _hash(self, resources: Iterable[Resource[Any]]) -> str:
        """Stands for the content of a document: it changes whenever that may, as clients keep a document for ever."""
        digest = hashlib.sha512(f"{__version__} {self._version} {self._described_by} {_ENUMERATED}".encode())
        for resource in resources:
            digest.update(repr((resource.group_version, resource.name, resource.kind, resource.verbs)).encode())
            digest.update(msgspec.json.encode((sorted(resource.subresources), resource.revision)))
        return digest.hexdigest().upper()

    def _index(self) -> dict[str, Any]:
        urls = {
            name: f"/openapi/v3/{name}?hash={self._hash(resources)}" for name, (resources, _) in self._described.items()
        }
        if self._elsewhere is not None:
            urls |= {name: f"/openapi/v3/{name}?hash={_digest(part)}" for name, part in self._converted.items()}
            urls |= self._elsewhere.described()
        return {"paths": {name: {"serverRelativeURL": url} for name, url in sorted(urls.items())}}

    def _redirect(self, path: str, request: Request) -> Response | None:
        """A client that has an outdated index is sent to the present document."""
        wanted = request.parameter("hash")
        name = path.removeprefix("/openapi/v3/")
        if not wanted:
            return None
        if (part := self._converted.get(name)) is not None:
            current = _digest(part)
        elif (described := self._described.get(name)) is not None:
            current = self._hash(described[0])
        else:
            return None
        if wanted == current:
            return None
        return Response(b"", 301, headers={"Location": f"{path}?hash={current}"})

    def _forget(self) -> None:
        """The scheme is another one: documents that say something else than before go."""
        before, self._described = self._described, self._describe()
        if self._elsewhere is not None:
            described = self._elsewhere.described()
            found = self._elsewhere.documents().items()
            self._converted = {name: part for name, part in found if name not in described}
        kept = {
            f"/openapi/v3/{name}"
            for name, (resources, _) in self._described.items()
            if name in before and name not in self._converted and self._hash(before[name][0]) == self._hash(resources)
        }
        self._documents = {key: document for key, document in self._documents.items() if key in kept}
        self._generation = self._present

    def _steps(self, request: Request) -> Iterator[None]:
        """Build what a request asks for, where that is not at hand."""
        if self._generation != self._present:
            self._forget()
        generation = self._generation
        key = self._key(request.path.rstrip("/"), request)
        path, _, media_type = key.partition(" ")
        document: Document
        if key in self._documents:
            return
        if path == "/openapi/v3":
            index = msgspec.json.encode(self._index())
            self._documents[key] = index, f'"{hashlib.sha512(index).hexdigest().upper()}"'
            return
        if (part := self._converted.get(path.removeprefix("/openapi/v3/"))) is not None:
            body = version_3(msgspec.json.decode(part, type=Foreign), self._version)
            self._documents[key] = body, f'"{hashlib.sha512(body).hexdigest().upper()}"'
            return
        if path == "/openapi/v2":
            dialect: Dialect = "v2"
            resources = [resource for found, _ in self._described.values() for resource in found]
            others = [other for _, found in self._described.values() for other in found]
            document = ProtobufDocument(self._version) if media_type else JSONDocument("v2", self._version)
        elif (described := self._described.get(path.removeprefix("/openapi/v3/"))) is not None:
            dialect, (resources, others) = "v3", described
            document = JSONDocument("v3", self._version)
        else:
            return
        pieces = Writer(dialect, Descriptions()).pieces(resources, others)
        if dialect == "v2" and self._elsewhere is not None:
            pieces = _with(pieces, self._elsewhere.documents().values())
        for piece in pieces:
            document.add(piece)
            yield
        body = document.finish()
        digest = hashlib.sha512()
        for start in range(0, len(body), _HASHED):
            digest.update(memoryview(body)[start : start + _HASHED])
            yield
        if generation == self._generation:
            self._documents[key] = body, f'"{digest.hexdigest().upper()}"'


def _digest(part: bytes) -> str:
    return hashlib.sha512(part).hexdigest().upper()


def _with(pieces: Iterator[Piece], documents: Iterable[bytes]) -> Iterator[Piece]:
    """Our own pieces, and those of other servers' documents."""
    parts = [msgspec.json.decode(each, type=Foreign) for each in documents]
    present: dict[tuple[Section, str], dict[str, Any]] = {}
    for piece in pieces:
        if parts:
            present[piece.section, piece.name] = piece.value
        yield piece
    for part in parts:
        for piece in joined(part, present):
            present[piece.section, piece.name] = piece.value
            yield piece
