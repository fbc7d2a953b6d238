"""What another server has, and how it describes it: asked now and then, so that no request has to."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping

import msgspec

from steersman.apiserver.endpoints.aggregated_discovery import (
    CURRENT,
    STALE,
    Version,
    media_type,
    read_groups,
    read_resources,
)
from steersman.apiserver.endpoints.openapi.conversion import version_3
from steersman.apiserver.endpoints.openapi.elsewhere import Foreign, part_of
from steersman.apiserver.outgoing import Outgoing

from .asking import Reply, Server, ask
from .backends import chosen, resolved
from .remote import Remote

log = logging.getLogger(__name__)

_INTERVAL = 60.0
_FIRST_RETRY = 1.0
_OPENAPI_SECONDS = 30.0
_ACCEPTED = f"{media_type('v2')},{media_type('v2beta1')}"


class _Index(msgspec.Struct):
    """``/openapi/v3``."""

    class Path(msgspec.Struct):
        url: str = msgspec.field(name="serverRelativeURL")

    paths: Mapping[str, Path] = {}


def found_in(groups_of: Reply, remote: Remote) -> Version | None:
    """The group-version in an aggregated document; None where the server speaks no such.  Raises ValueError."""
    if groups_of.status != 200 or "as=APIGroupDiscoveryList" not in groups_of.content_type.replace(" ", ""):
        return None
    for group in read_groups(groups_of.body):
        if group.metadata.name == remote.group:
            for version in group.versions:
                if version.version == remote.version:
                    return version
    return Version(remote.version)


def _readable_part(document: bytes, path: str) -> bytes:
    """What a document says of a path, where it can be written in every form; raises ValueError."""
    part = part_of(document, path)
    try:
        version_3(msgspec.json.decode(part, type=Foreign), "")
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not an OpenAPI document: {error!r}") from error
    return part


class Learning:
    """``changed`` is called when something is known that was not."""

    def __init__(self, outgoing: Outgoing, allowed: Callable[[str], bool], changed: Callable[[], None]) -> None:
        self._outgoing = outgoing
        self._allowed = allowed
        self._changed = changed

    async def run(self, remote: Remote) -> None:
        """Ask until cancelled."""
        retry = _FIRST_RETRY
        while True:
            remote.learn.clear()
            try:
                server = await self._server(remote) if remote.available else None
                discovered = await self._discover(server, remote)
                good = discovered.freshness == CURRENT
                self._note(remote, discovered, remote.described, remote.document)
                if server is not None and good:
                    described = await self._describe(server, remote)
                    self._note(remote, discovered, described, await self._document(server, remote))
            except Exception:
                log.exception("asking what %s has failed", remote.name)
                good = False
            # Not all at the same time.
            delay = _INTERVAL * random.uniform(0.9, 1.0) if good or not remote.available else retry
            retry = _FIRST_RETRY if good else min(retry * 2, _INTERVAL)
            remote.learning = False
            try:
                async with asyncio.timeout(delay):
                    await remote.learn.wait()
                    remote.learning = True
            except TimeoutError:
                continue

    def _note(self, remote: Remote, discovered: Version, described: Mapping[str, str], document: bytes) -> None:
        if (discovered, described, document) != (remote.discovered, remote.described, remote.document):
            if discovered != remote.discovered:
                remote.discover(discovered)
            remote.described, remote.document = described, document
            self._changed()

    async def _server(self, remote: Remote) -> Server | None:
        try:
            tls = await remote.tls()
            return Server(self._outgoing, await resolved(chosen(remote.addresses()), self._allowed), tls)
        except (OSError, ValueError) as error:
            log.info("%s cannot be asked: %s", remote.name, error)
            return None

    async def _discover(self, server: Server | None, remote: Remote) -> Version:
        """The resources; none, and stale, where the server does not say."""
        stale = Version(remote.version, [], STALE)
        if server is None:
            return stale
        try:
            reply = await ask(server, "/apis", accept=_ACCEPTED)
            if reply.status == 503:
                raise OSError("503 Service Unavailable")
            version = found_in(reply, remote)
            if version is None:
                reply = await ask(server, remote.path)
                if reply.status != 200:
                    raise OSError(f"{remote.path} answered {reply.status}")
                version = read_resources(reply.body, remote.group, remote.version)
        except (OSError, ValueError) as error:
            log.info("discovery of %s failed: %s", remote.name, error)
            return stale
        version.freshness = CURRENT
        return version

    async def _describe(self, server: Server, remote: Remote) -> Mapping[str, str]:
        """Where its OpenAPI documents are; as before where it does not say."""
        try:
            reply = await ask(server, "/openapi/v3", seconds=_OPENAPI_SECONDS)
            if reply.status != 200:
                return {}
            name = remote.path.removeprefix("/")
            paths = msgspec.json.decode(reply.body, type=_Index).paths
        except (OSError, ValueError) as error:
            log.info("the OpenAPI documents of %s could not be asked for: %s", remote.name, error)
            return remote.described
        if name not in paths:
            return {}
        place = f"/openapi/v3/{name}"
        return {name: url if (url := paths[name].url).startswith(f"{place}?") else place}

    async def _document(self, server: Server, remote: Remote) -> bytes:
        """What its version 2 document says of the group-version; as before where it does not say."""
        try:
            etag = remote.document_etag
            reply = await ask(server, "/openapi/v2", etag=etag, seconds=_OPENAPI_SECONDS)
            if reply.status == 304:
                return remote.document
            if reply.status != 200:
                return b""
            part = await asyncio.to_thread(_readable_part, reply.body, remote.path)
        except (OSError, ValueError) as error:
            log.info("the OpenAPI document of %s could not be asked for: %s", remote.name, error)
            return remote.document
        remote.document_etag = reply.etag
        return part
