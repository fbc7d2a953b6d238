"""Nodes."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from steersman.api import errors
from steersman.api.json_text import syntax_fault
from steersman.api.labels import TAINTS
from steersman.api.types import core_v1 as v1

from . import addresses, names
from .faults import Faults, verdict
from .placement import TAINT_EFFECTS
from .resources import amount

_FEATURE = re.compile(r"[A-Z][a-zA-Z0-9]*(/[a-zA-Z][a-zA-Z0-9]*)*", re.ASCII)
_FEATURE_FORM = (
    "must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or "
    "MyFeature/mySubFeature), and contain only alphanumeric characters and slashes"
)


def new_node(faults: Faults, obj: v1.Node) -> None:
    """What is asked of nodes when they register, and not again."""
    swap = obj.status.node_info.swap
    if swap is not None and swap.capacity is not None and swap.capacity <= 0:
        faults.invalid("metadata.nodeSwapStatus.capacity", swap.capacity, "must be greater than zero")
    _pod_cidrs(faults, obj.spec.pod_cidrs)


def node(faults: Faults, obj: v1.Node) -> None:
    """What holds of every node; upstream says of the metadata what is wrong with taints."""
    if text := obj.metadata.annotations.get(TAINTS):
        try:
            annotated = msgspec.json.decode(text, type=list[v1.Taint])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            faults.invalid("metadata.annotations", TAINTS, syntax_fault(text) or str(error))
        else:
            taints(faults, annotated, f"metadata.annotations.{TAINTS}")
    taints(faults, obj.spec.taints, "metadata.taints")
    for member, amounts in (("capacity", obj.status.capacity), ("allocatable", obj.status.allocatable)):
        for name, value in amounts.items():
            amount(faults, name, value, f"status.{member}.{name}")
    _features(faults, obj.status.declared_features, "status.declaredFeatures")


def taints(faults: Faults, values: list[v1.Taint], path: str) -> None:
    """What repels pods; one of each key and effect."""
    seen: set[Any] = set()
    for index, taint in enumerate(values):
        place = f"{path}[{index}]"
        faults.grammar(f"{place}.key", taint.key, names.qualified_name)
        if found := verdict(names.label_value, taint.value):
            faults.invalid(f"{place}.value", taint.value, ";".join(found))
        faults.enum(f"{place}.effect", taint.effect, TAINT_EFFECTS)
        if (taint.key, taint.effect) in seen:
            faults.append(errors.duplicate(place, taint, "taints must be unique by key and effect pair"))
        seen.add((taint.key, taint.effect))


def _features(faults: Faults, values: list[str], path: str) -> None:
    for index, feature in enumerate(values):
        place = f"{path}[{index}]"
        if len(feature) > 253:
            detail = f'invalid feature name "{feature}": {names.longer_than(253)}'
            faults.invalid(place, feature, detail)
        elif not _FEATURE.fullmatch(feature):
            faults.invalid(place, feature, f'invalid feature name "{feature}": {_FEATURE_FORM}')
        if index and feature == values[index - 1]:
            faults.append(errors.duplicate(place, feature))
        elif index and feature < values[index - 1]:
            faults.invalid(place, feature, "list must be sorted alphabetically")


def _pod_cidrs(faults: Faults, values: list[str]) -> None:
    """At most one network of each family."""
    before = len(faults)
    for index, cidr in enumerate(values):
        faults.grammar(f"spec.podCIDRs[{index}]", cidr, addresses.network)
    if len(values) < 2 or len(faults) > before:
        return
    parsed = [addresses.parse_network(cidr) for cidr in values]
    if len(values) > 2 or len({each.address.version for each in parsed if each is not None}) != 2:
        faults.invalid("spec.podCIDRs", values, "may specify no more than one CIDR for each IP family")


def node_update(faults: Faults, new: v1.Node, old: v1.Node) -> None:
    """What a node was given stays."""
    if old.spec.pod_cidrs and new.spec.pod_cidrs != old.spec.pod_cidrs:
        faults.forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid')
    if old.spec.provider_id and new.spec.provider_id != old.spec.provider_id:
        faults.forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid')
    if new.spec.config_source is not None:
        _config_source(faults, new.spec.config_source, "spec.configSource", observed=False)
    if new.spec.external_id != old.spec.external_id:
        faults.forbidden("spec.externalID", "may not be updated")
    _observed(faults, new)


def node_status_update(faults: Faults, new: v1.Node, old: v1.Node) -> None:
    """What the kubelet says of itself."""
    node(faults, new)
    _observed(faults, new)


def _observed(faults: Faults, obj: v1.Node) -> None:
    seen: set[Any] = set()
    for index, address in enumerate(obj.status.addresses):
        faults.unique(f"status.addresses[{index}]", (address.type, address.address), seen, address)
    if (config := obj.status.config) is not None:
        for name, source in (
            ("assigned", config.assigned),
            ("active", config.active),
            ("lastKnownGood", config.last_known_good),
        ):
            if source is not None:
                _config_source(faults, source, f"status.config.{name}", observed=True)


def _config_source(faults: Faults, source: v1.NodeConfigSource, path: str, *, observed: bool) -> None:
    """The ConfigMap of a kubelet's configuration: deprecated and without effect, but still looked at."""
    if (config := source.config_map) is None:
        faults.invalid(path, source, "exactly one reference subfield must be non-nil")
        return
    place = f"{path}.configMap"
    for name, value in (("uid", config.uid), ("resourceVersion", config.resource_version)):
        if observed:
            faults.required(f"{place}.{name}", value)
        elif value:
            faults.forbidden(f"{place}.{name}", f"{name} must not be set in spec")
    faults.name(f"{place}.namespace", config.namespace, names.dns1123_label)
    faults.name(f"{place}.name", config.name, names.dns1123_subdomain)
    faults.name(f"{place}.kubeletConfigKey", config.kubelet_config_key, names.config_map_key)
