"""What simulated pods use of cpu and memory: as kwok's ``ResourceUsage`` has it, as annotations say, or by guess."""

from __future__ import annotations

import zlib
from decimal import Decimal
from typing import Any

import msgspec

from steersman.api import quantity
from steersman.api.types.core_v1 import Container, Pod

KINDS = ("ResourceUsage", "ClusterResourceUsage")
RESOURCES = ("cpu", "memory")
ANNOTATION = "kwok.x-k8s.io/usage-"
"""With ``cpu`` or ``memory``: what each container of a pod uses."""

LEAST = {"cpu": Decimal("0.001"), "memory": Decimal(2**20)}
"""Of a container that asks for nothing."""

Amounts = dict[str, Decimal]


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Unknown fields are refused."""


class UsageValue(_Strict, frozen=True, kw_only=True):
    """A quantity."""

    value: str = ""
    expression: str = ""


class ContainerUsage(_Strict, frozen=True, kw_only=True):
    """What containers of these names use; all where there is none."""

    containers: tuple[str, ...] = ()
    usage: dict[str, UsageValue] = {}


class UsageSelector(_Strict, frozen=True, kw_only=True):
    """Which pods; all where nothing is said."""

    match_namespaces: tuple[str, ...] = ()
    match_names: tuple[str, ...] = ()


class UsageSpec(_Strict, frozen=True, kw_only=True):
    """What is used."""

    selector: UsageSelector = UsageSelector()
    usages: tuple[ContainerUsage, ...] = ()


class UsageMetadata(msgspec.Struct, frozen=True):
    """What matters of it."""

    name: str = ""
    namespace: str = "default"


class UsageRule(_Strict, frozen=True, kw_only=True):
    """A ResourceUsage, of the pod of its name, or a ClusterResourceUsage."""

    api_version: str
    kind: str
    metadata: UsageMetadata = UsageMetadata()
    spec: UsageSpec = UsageSpec()
    status: dict[str, Any] = {}

    def check(self) -> None:
        """Raises ValueError for what cannot be answered."""
        for each in self.spec.usages:
            for name, amount in each.usage.items():
                if amount.expression or not amount.value:
                    raise ValueError(f"usage of {name}: expressions are not known here; give a value")
                quantity.parse(amount.value)

    def matches(self, pod: Pod) -> bool:
        """Whether the rule is about a pod."""
        meta, selector = pod.metadata, self.spec.selector
        if self.kind == "ResourceUsage":
            return (meta.namespace, meta.name) == (self.metadata.namespace, self.metadata.name)
        return (not selector.match_namespaces or meta.namespace in selector.match_namespaces) and (
            not selector.match_names or meta.name in selector.match_names
        )


def container_usage(pod: Pod, container: Container, rules: tuple[UsageRule, ...]) -> Amounts:
    """What a container uses; a rule for the pod goes before rules for many."""
    found: Amounts = {}
    for rule in sorted((rule for rule in rules if rule.matches(pod)), key=lambda rule: rule.kind != "ResourceUsage"):
        for each in rule.spec.usages:
            if not each.containers or container.name in each.containers:
                for name, amount in each.usage.items():
                    found.setdefault(name, quantity.parse(amount.value))
    for name in RESOURCES:
        if name not in found:
            found[name] = _said(pod, name) or _guessed(pod, container, name)
    return found


def pod_usage(pod: Pod, rules: tuple[UsageRule, ...]) -> list[tuple[str, Amounts]]:
    """What the containers of a pod use."""
    return [(each.name, container_usage(pod, each, rules)) for each in pod.spec.containers]


def total(usages: list[tuple[str, Amounts]], beginning: Amounts) -> Amounts:
    """All of it together, beside what there is already."""
    for _, amounts in usages:
        for name, amount in amounts.items():
            beginning[name] = beginning.get(name, Decimal(0)) + amount
    return beginning


def written(amounts: Amounts) -> dict[str, str]:
    """As metrics are written: cpu in thousandths, memory in Ki."""
    result = {}
    for name, amount in amounts.items():
        if name == "memory":
            result[name] = f"{int(amount) // 1024}Ki"
        else:
            result[name] = f"{int(amount * 1000)}m"
    return result


def _said(pod: Pod, name: str) -> Decimal | None:
    try:
        return quantity.parse(pod.metadata.annotations[ANNOTATION + name])
    except (KeyError, quantity.QuantityError):
        return None


def _guessed(pod: Pod, container: Container, name: str) -> Decimal:
    """Between a fifth and four fifths of what it asks for, always the same."""
    asked = container.resources.requests.get(name)
    if not asked:
        return LEAST[name]
    share = 20 + zlib.crc32(f"{pod.metadata.uid}{container.name}".encode()) % 61
    return max(LEAST[name], quantity.parse(asked) * share / 100)
