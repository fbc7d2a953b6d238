"""The small kinds of the core group; pods, volumes, nodes, limits and events have modules of their own."""

from __future__ import annotations

from typing import Any

import msgspec

from steersman.api import errors
from steersman.api.json_text import syntax_fault
from steersman.api.types import core_v1 as v1

from . import addresses, meta, names
from .faults import Faults

DATA_LIMIT = 1024 * 1024
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_DOCKER_KEYS = {"kubernetes.io/dockercfg": ".dockercfg", "kubernetes.io/dockerconfigjson": ".dockerconfigjson"}
_TLS_KEYS = ("tls.crt", "tls.key")
_REDACTED = "<secret contents redacted>"


def _frozen(faults: Faults, new: Any, old: Any) -> None:
    """``immutable`` objects stay as they are."""
    if not old.immutable:
        return
    if not new.immutable:
        faults.forbidden("immutable", "field is immutable when `immutable` is set")
    for attribute, name in (("data", "data"), ("binary_data", "binaryData")):
        if getattr(new, attribute, None) != getattr(old, attribute, None):
            faults.forbidden(name, "field is immutable when `immutable` is set")


def config_map(faults: Faults, obj: v1.ConfigMap) -> None:
    size = 0
    for key, text in obj.data.items():
        faults.grammar(f"data[{key}]", key, names.config_map_key)
        if key in obj.binary_data:
            faults.invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
        size += len(text.encode())
    for key, value in obj.binary_data.items():
        faults.grammar(f"binaryData[{key}]", key, names.config_map_key)
        size += len(value)
    if size > DATA_LIMIT:
        faults.append(errors.too_long("", DATA_LIMIT))


def config_map_update(faults: Faults, new: v1.ConfigMap, old: v1.ConfigMap) -> None:
    _frozen(faults, new, old)


def secret(faults: Faults, obj: v1.Secret) -> None:
    for key in obj.data:
        faults.grammar(f"data[{key}]", key, names.config_map_key)
    if sum(map(len, obj.data.values())) > DATA_LIMIT:
        faults.append(errors.too_long("data", DATA_LIMIT))
    match obj.type:
        case "kubernetes.io/service-account-token":
            if not obj.metadata.annotations.get("kubernetes.io/service-account.name"):
                faults.append(errors.required("metadata.annotations[kubernetes.io/service-account.name]"))
        case "kubernetes.io/dockercfg" | "kubernetes.io/dockerconfigjson":
            _docker_config(faults, obj.data, _DOCKER_KEYS[obj.type])
        case "kubernetes.io/basic-auth":
            if not {"username", "password"} & obj.data.keys():
                faults.append(errors.required("data[username]"))
                faults.append(errors.required("data[password]"))
        case "kubernetes.io/ssh-auth":
            if not obj.data.get("ssh-privatekey"):
                faults.append(errors.required("data[ssh-privatekey]"))
        case "kubernetes.io/tls":
            for key in _TLS_KEYS:
                if key not in obj.data:
                    faults.append(errors.required(f"data[{key}]"))


def _docker_config(faults: Faults, data: dict[str, bytes], key: str) -> None:
    if key not in data:
        faults.append(errors.required(f"data[{key}]"))
        return
    try:
        msgspec.json.decode(data[key], type=dict[str, Any] | None)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        faults.invalid(f"data[{key}]", _REDACTED, syntax_fault(data[key]) or str(error))


def secret_update(faults: Faults, new: v1.Secret, old: v1.Secret) -> None:
    faults.immutable("type", new.type, old.type)
    _frozen(faults, new, old)


def endpoints(faults: Faults, obj: v1.Endpoints) -> None:
    for number, subset in enumerate(obj.subsets):
        place = f"subsets[{number}]"
        if not subset.addresses and not subset.not_ready_addresses:
            faults.append(errors.required(place, "must specify `addresses` or `notReadyAddresses`"))
        for name, listed in (("addresses", subset.addresses), ("notReadyAddresses", subset.not_ready_addresses)):
            for index, address in enumerate(listed):
                _endpoint(faults, address, f"{place}.{name}[{index}]")
        for index, port in enumerate(subset.ports):
            _endpoint_port(faults, port, f"{place}.ports[{index}]", named=len(subset.ports) > 1)


def _endpoint(faults: Faults, address: v1.EndpointAddress, path: str) -> None:
    faults.grammar(f"{path}.ip", address.ip, addresses.address)
    if address.hostname:
        faults.grammar(f"{path}.hostname", address.hostname, names.dns1123_label)
    if address.node_name:
        faults.grammar(f"{path}.nodeName", address.node_name, names.dns1123_subdomain)
    faults.grammar(f"{path}.ip", address.ip, addresses.special)


def _endpoint_port(faults: Faults, port: v1.EndpointPort, path: str, *, named: bool) -> None:
    if port.name:
        faults.grammar(f"{path}.name", port.name, names.dns1123_label)
    elif named:
        faults.append(errors.required(f"{path}.name"))
    faults.between(f"{path}.port", port.port, 1, 65535)
    faults.one_of(f"{path}.protocol", port.protocol, _PROTOCOLS)
    if port.app_protocol:
        faults.grammar(f"{path}.appProtocol", port.app_protocol, names.qualified_name)


def namespace(faults: Faults, obj: v1.Namespace) -> None:
    _namespace_finalizers(faults, obj, "spec.finalizers", numbered=False)


def namespace_finalize_update(faults: Faults, new: v1.Namespace, old: v1.Namespace) -> None:
    """``/finalize``."""
    _namespace_finalizers(faults, new, "spec.finalizers", numbered=True)


def _namespace_finalizers(faults: Faults, obj: v1.Namespace, path: str, *, numbered: bool) -> None:
    for index, finalizer in enumerate(obj.spec.finalizers):
        place = f"{path}[{index}]" if numbered else path
        faults.grammar(place, finalizer, names.qualified_name)
        meta.standard_finalizer(faults, finalizer, place)


def namespace_status_update(faults: Faults, new: v1.Namespace, old: v1.Namespace) -> None:
    """The phase says whether the namespace is being deleted, nothing else."""
    deleted = new.metadata.deletion_timestamp is not None
    phase = "Terminating" if deleted else "Active"
    if new.status.phase != phase:
        state = "not empty" if deleted else "empty"
        detail = f"may only be '{phase}' if `deletionTimestamp` is {state}"
        faults.invalid("status.Phase", new.status.phase, detail)


def binding(faults: Faults, obj: v1.Binding) -> None:
    if obj.target.kind not in ("", "Node"):
        faults.append(errors.not_supported("target.kind", obj.target.kind, ("Node", "<empty>")))
    faults.required("target.name", obj.target.name)
