"""Environment variables of containers, and ``$(VAR)`` expansion."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Protocol

from steersman.api.types.core_v1 import (
    ConfigMap,
    ConfigMapKeySelector,
    Container,
    Pod,
    Secret,
    SecretKeySelector,
    Service,
)

from .downward import DownwardError, field_value, resource_value

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")


class ConfigError(Exception):
    """A container's configuration cannot be made: ``CreateContainerConfigError`` with this message."""


class Sources(Protocol):
    """Where variables come from; raises ConfigError where a required object is missing."""

    async def config_map(self, namespace: str, name: str, *, optional: bool) -> ConfigMap | None: ...

    async def secret(self, namespace: str, name: str, *, optional: bool) -> Secret | None: ...

    def services(self) -> list[Service]:
        """All services that are known."""
        ...


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` by a variable's value; unknown names stay, ``$$`` is a dollar sign."""

    def replace(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return variables.get(match[1], match[0])

    return _REFERENCE.sub(replace, text)


def service_variables(services: Iterable[Service]) -> dict[str, str]:
    """The variables that describe services in the style of Docker links."""
    result: dict[str, str] = {}
    for service in services:
        address = service.spec.cluster_ip
        if not address or address == "None" or not service.spec.ports:
            continue
        prefix = service.metadata.name.upper().replace("-", "_")
        first = service.spec.ports[0]
        result[f"{prefix}_SERVICE_HOST"] = address
        result[f"{prefix}_SERVICE_PORT"] = str(first.port)
        for port in service.spec.ports:
            if port.name:
                result[f"{prefix}_SERVICE_PORT_{port.name.upper().replace('-', '_')}"] = str(port.port)
        host = f"[{address}]" if ":" in address else address
        for index, port in enumerate(service.spec.ports):
            protocol = (port.protocol or "TCP").lower()
            url = f"{protocol}://{host}:{port.port}"
            if index == 0:
                result[f"{prefix}_PORT"] = url
            base = f"{prefix}_PORT_{port.port}_{protocol.upper()}"
            result[base] = url
            result[f"{base}_PROTO"] = protocol
            result[f"{base}_PORT"] = str(port.port)
            result[f"{base}_ADDR"] = address
    return result


def visible_services(services: Iterable[Service], namespace: str, *, links: bool, master: str) -> list[Service]:
    """The services whose variables a pod gets: its namespace's, and always ``kubernetes`` of the master namespace."""
    chosen: dict[str, Service] = {}
    for service in sorted(services, key=lambda service: service.metadata.name):
        if service.metadata.namespace == master and service.metadata.name == "kubernetes":
            chosen.setdefault("kubernetes", service)
        elif links and service.metadata.namespace == namespace:
            chosen[service.metadata.name] = service
    return list(chosen.values())


async def container_environment(
    pod: Pod,
    container: Container,
    sources: Sources,
    *,
    pod_ips: list[str],
    host_ips: list[str],
    node_allocatable: Mapping[str, str],
    master_namespace: str = "default",
) -> dict[str, str]:
    """A container's variables, in order, expanded; raises ConfigError."""
    namespace = pod.metadata.namespace
    result: dict[str, str] = {}
    for source in container.env_from:
        if source.config_map_ref is not None:
            ref = source.config_map_ref
            config_map = await sources.config_map(namespace, ref.name, optional=bool(ref.optional))
            if config_map is not None:
                result |= {source.prefix + key: value for key, value in config_map.data.items()}
        elif source.secret_ref is not None:
            secret_ref = source.secret_ref
            secret = await sources.secret(namespace, secret_ref.name, optional=bool(secret_ref.optional))
            if secret is not None:
                result |= {source.prefix + key: _text(value) for key, value in secret.data.items()}
    links = pod.spec.enable_service_links is not False
    services = visible_services(sources.services(), namespace, links=links, master=master_namespace)
    service_values = service_variables(services)
    known = dict(service_values)
    for variable in container.env:
        value: str | None
        origin = variable.value_from
        if origin is None:
            value = expand(variable.value, known | result) if variable.value else ""
        elif origin.field_ref is not None:
            try:
                value = field_value(pod, origin.field_ref.field_path, pod_ips=pod_ips, host_ips=host_ips)
            except DownwardError as error:
                raise ConfigError(str(error)) from error
        elif origin.resource_field_ref is not None:
            try:
                value = resource_value(pod, container, origin.resource_field_ref, node_allocatable)
            except DownwardError as error:
                raise ConfigError(str(error)) from error
        elif origin.config_map_key_ref is not None:
            value = await _config_map_key(namespace, origin.config_map_key_ref, sources)
        elif origin.secret_key_ref is not None:
            value = await _secret_key(namespace, origin.secret_key_ref, sources)
        else:
            raise ConfigError(f"environment variable {variable.name}: this source is not supported")
        if value is not None:
            result[variable.name] = value
    return {**{name: value for name, value in service_values.items() if name not in result}, **result}


async def _config_map_key(namespace: str, ref: ConfigMapKeySelector, sources: Sources) -> str | None:
    config_map = await sources.config_map(namespace, ref.name, optional=bool(ref.optional))
    return _value(config_map.data if config_map is not None else {}, "ConfigMap", namespace, ref)


async def _secret_key(namespace: str, ref: SecretKeySelector, sources: Sources) -> str | None:
    secret = await sources.secret(namespace, ref.name, optional=bool(ref.optional))
    return _value(secret.data if secret is not None else {}, "Secret", namespace, ref)


def _value(
    data: Mapping[str, str | bytes], kind: str, namespace: str, ref: ConfigMapKeySelector | SecretKeySelector
) -> str | None:
    if ref.key in data:
        return _text(data[ref.key])
    if ref.optional:
        return None
    raise ConfigError(f"couldn't find key {ref.key} in {kind} {namespace}/{ref.name}")


def _text(value: bytes | str) -> str:
    return value.decode(errors="surrogateescape") if isinstance(value, bytes) else value
