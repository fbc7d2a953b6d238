"""What pods' configuration comes from: ConfigMaps, Secrets and tokens, read from the API when needed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from steersman.api.errors import StatusError, is_not_found
from steersman.api.types.authentication_v1 import BoundObjectReference, TokenRequest, TokenRequestSpec
from steersman.api.types.core_v1 import ConfigMap, Pod, Secret, Service, ServiceAccount, ServiceAccountTokenProjection
from steersman.client.client import Client
from steersman.client.informer import Lister

from .environment import ConfigError

T = TypeVar("T", ConfigMap, Secret)

CACHE_SECONDS = 1.0
"""Objects read within this time are not read again: many containers start at once."""


class ApiSources:
    """Reads objects through a client.

    Every read goes to the API, so that a pod that starts sees what was there when it was created; updates reach
    running pods with the kubelet's periodic refresh.
    """

    def __init__(self, client: Client, services: Lister[Service], clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._services = services
        self._clock = clock
        self._cache: dict[tuple[type, str, str], tuple[float, ConfigMap | Secret]] = {}
        self._tokens: dict[tuple[str, str, int], tuple[str, float]] = {}

    async def config_map(self, namespace: str, name: str, *, optional: bool) -> ConfigMap | None:
        return await self._read(ConfigMap, "configmap", namespace, name, optional)

    async def secret(self, namespace: str, name: str, *, optional: bool) -> Secret | None:
        return await self._read(Secret, "secret", namespace, name, optional)

    async def _read(self, type_: type[T], word: str, namespace: str, name: str, optional: bool) -> T | None:
        now = self._clock()
        cached = self._cache.get((type_, namespace, name))
        if cached is not None and now - cached[0] < CACHE_SECONDS:
            assert isinstance(cached[1], type_)
            return cached[1]
        try:
            obj = await self._client.get(type_, name, namespace)
        except StatusError as error:
            if is_not_found(error):
                if optional:
                    return None
                raise ConfigError(f'{word} "{name}" not found') from error
            raise ConfigError(f'failed to read {word} "{name}": {error}') from error
        except OSError as error:
            raise ConfigError(f'failed to read {word} "{name}": {error}') from error
        if len(self._cache) > 256:
            self._cache = {key: value for key, value in self._cache.items() if now - value[0] < CACHE_SECONDS}
        self._cache[type_, namespace, name] = (now, obj)
        return obj

    def services(self) -> list[Service]:
        return self._services.list()

    async def service_account_token(self, pod: Pod, projection: ServiceAccountTokenProjection) -> str:
        """A token bound to the pod, renewed when 80 % of its life or 24 hours have passed."""
        seconds = projection.expiration_seconds or 3600
        key = (pod.metadata.uid, projection.audience, seconds)
        token, renew = self._tokens.get(key, ("", 0.0))
        if token and self._clock() < renew:
            return token
        request = TokenRequest(
            spec=TokenRequestSpec(
                audiences=[projection.audience] if projection.audience else [],
                expiration_seconds=seconds,
                bound_object_ref=BoundObjectReference(
                    kind="Pod", api_version="v1", name=pod.metadata.name, uid=pod.metadata.uid
                ),
            )
        )
        account = pod.spec.service_account_name or "default"
        try:
            answer = await self._client.create_subresource(
                ServiceAccount, account, "token", request, pod.metadata.namespace
            )
        except (StatusError, OSError) as error:
            if token:
                return token  # the old one may be good for a while
            raise ConfigError(f"failed to fetch token: {error}") from error
        now = self._clock()
        expires = answer.status.expiration_timestamp
        life = expires.timestamp() - now if expires is not None else float(seconds)
        self._tokens[key] = (answer.status.token, now + min(life * 0.8, 24 * 3600))
        return answer.status.token

    def forget(self, uid: str) -> None:
        """Forget a pod's tokens."""
        for key in [key for key in self._tokens if key[0] == uid]:
            del self._tokens[key]
