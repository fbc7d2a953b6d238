"""``kube-system/extension-apiserver-authentication``: by which certificates other API servers know whom they talk to.

Its readers believe clients whose certificates ``client-ca-file`` issued, and the ``X-Remote-*`` headers of a front
proxy.  What others have put into it stays, so that authorities can be exchanged; what is missing comes back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.labels import NAMESPACE_SYSTEM
from steersman.api.types.core_v1 import ConfigMap
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.apiserver.registry.contract import OWN
from steersman.apiserver.registry.registry import Registry
from steersman.storage.store import StoreError
from steersman.storage.watch_cache import WatchCache

log = logging.getLogger(__name__)

NAME = "extension-apiserver-authentication"
ALLOWED_NAMES = ("front-proxy-client",)

_CLIENT_CA, _PROXY_CA = "client-ca-file", "requestheader-client-ca-file"
_LISTS: Mapping[str, Sequence[str]] = {
    "requestheader-username-headers": ("X-Remote-User",),
    "requestheader-uid-headers": ("X-Remote-Uid",),
    "requestheader-group-headers": ("X-Remote-Group",),
    "requestheader-extra-headers-prefix": ("X-Remote-Extra-",),
    "requestheader-allowed-names": ALLOWED_NAMES,
}
_SLACK = timedelta(minutes=5)
_RETRY = 5.0


class Authorities(msgspec.Struct, frozen=True):
    """Certificates in PEM: who issues those of clients, and that of the front proxy (none where it is empty)."""

    clients: str
    front_proxy: str


def combined(present: Mapping[str, str], authorities: Authorities, now: datetime) -> dict[str, str]:
    """The data that there must be, given those that are there."""
    data = {_CLIENT_CA: _certificates(now, present.get(_CLIENT_CA, ""), authorities.clients)}
    proxies = _certificates(now, present.get(_PROXY_CA, ""), authorities.front_proxy)
    if not proxies:
        return data
    data[_PROXY_CA] = proxies
    for key, ours in _LISTS.items():
        try:
            theirs = msgspec.json.decode(present.get(key, "[]"), type=list[str])
        except msgspec.DecodeError:
            theirs = []
        data[key] = msgspec.json.encode(list(dict.fromkeys((*theirs, *ours)))).decode()
    return data


def _certificates(now: datetime, *bundles: str) -> str:
    """Every certificate once, those left out that have expired."""
    found: dict[bytes, None] = {}
    for bundle in bundles:
        try:
            parsed = x509.load_pem_x509_certificates(bundle.encode()) if bundle else []
        except ValueError:
            continue
        for each in parsed:
            if each.not_valid_after_utc > now - _SLACK:
                found[each.public_bytes(Encoding.PEM)] = None
    return b"".join(found).decode()


class Trust:
    """Keeps the ConfigMap."""

    def __init__(self, registry: Registry, authorities: Authorities) -> None:
        self._registry = registry
        self._authorities = authorities

    async def run(self) -> None:
        """Keep it until cancelled."""
        handler = self._registry.handler_of(ConfigMap)
        key = handler.resource.key(NAMESPACE_SYSTEM, NAME)
        while True:
            await handler.ready()
            revision = handler.cache.revision
            try:
                await self._step()
                await _changed(handler.cache, key, revision)
            except (StatusError, StoreError) as error:
                log.warning("%s could not be brought into order: %s", NAME, error)
                await asyncio.sleep(_RETRY)

    async def _step(self) -> None:
        handler = self._registry.handler_of(ConfigMap)
        now = self._registry.now()
        present = await self._registry.get(ConfigMap, NAME, NAMESPACE_SYSTEM)
        if present is None:
            meta = ObjectMeta(name=NAME, namespace=NAMESPACE_SYSTEM)
            wanted = ConfigMap(metadata=meta, data=combined({}, self._authorities, now))
            try:
                await handler.create(OWN, NAMESPACE_SYSTEM, wanted)
            except StatusError as error:
                if error.reason != "AlreadyExists":
                    raise
            return
        data = combined(present.data, self._authorities, now)
        if data == present.data:
            return
        changed = codecs.copy(present)
        changed.data = data
        await handler.update(OWN, NAMESPACE_SYSTEM, NAME, changed)


async def _changed(cache: WatchCache[ConfigMap], key: str, since: int) -> None:
    """Wait until an object has changed since a revision, or the cache has ended."""
    changed = asyncio.Event()
    subscription = cache.subscribe(key, since, lambda _: changed.set(), on_end=lambda _: changed.set())
    try:
        await changed.wait()
        await asyncio.sleep(0)  # which a cache that has ended leaves to nobody
    finally:
        subscription.cancel()
