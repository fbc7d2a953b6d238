"""Environment variables of containers, and the fields of the pod that they and files can show."""

from __future__ import annotations

from collections.abc import Sequence

from steersman.api import errors, quantity
from steersman.api.types import core_v1 as v1

from . import names
from .faults import Faults
from .volume_sources import no_backsteps

_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
_CONVERTIBLE = frozenset(
    (
        *_FIELDS,
        "metadata.annotations",
        "metadata.labels",
        "spec.host",
        "spec.restartPolicy",
        "spec.schedulerName",
        "status.phase",
    )
)
"""What the v1 pod knows by name, whether or not it is offered here."""

_SUBSCRIPTED = ("metadata.annotations", "metadata.labels")
_RESOURCES = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)
_HUGEPAGES = ("limits.hugepages-", "requests.hugepages-")
_SIZES = frozenset(("1", *(f"1{unit}" for unit in ("k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))))
_SIZE_DIVISORS = "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the"
_DIVISORS = {
    "cpu": (frozenset(("1m", "1")), "only divisor's values 1m and 1 are supported with the cpu resource"),
    "memory": (_SIZES, f"{_SIZE_DIVISORS} memory resource"),
    "ephemeral-storage": (_SIZES, f"{_SIZE_DIVISORS} local ephemeral storage resource"),
    "hugepages": (_SIZES, f"{_SIZE_DIVISORS} hugepages resource"),
}
_SOURCES = ("field_ref", "resource_field_ref", "config_map_key_ref", "secret_key_ref", "file_key_ref")


def variables(faults: Faults, values: list[v1.EnvVar], path: str) -> None:
    """Variables that are given one by one."""
    for index, variable in enumerate(values):
        place = f"{path}[{index}]"
        faults.name(f"{place}.name", variable.name, names.env_name)
        if variable.value_from is not None:
            _source(faults, variable, variable.value_from, f"{place}.valueFrom")


def _source(faults: Faults, variable: v1.EnvVar, source: v1.EnvVarSource, path: str) -> None:
    if source.field_ref is not None:
        field_ref(faults, source.field_ref, f"{path}.fieldRef", _FIELDS)
    if source.resource_field_ref is not None:
        resource_field(faults, source.resource_field_ref, f"{path}.resourceFieldRef")
    for name, key_ref in (("configMapKeyRef", source.config_map_key_ref), ("secretKeyRef", source.secret_key_ref)):
        if key_ref is not None:
            faults.grammar(f"{path}.{name}.name", key_ref.name, names.dns1123_subdomain)
            faults.name(f"{path}.{name}.key", key_ref.key, names.config_map_key)
    if (file := source.file_key_ref) is not None:
        faults.name(f"{path}.fileKeyRef.key", file.key, names.env_name)
        faults.name(f"{path}.fileKeyRef.volumeName", file.volume_name, names.dns1123_label)
        if faults.required(f"{path}.fileKeyRef.path", file.path):
            no_backsteps(faults, file.path, f"{path}.fileKeyRef.path")
    given = sum(getattr(source, attribute) is not None for attribute in _SOURCES)
    if not given:
        known = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        faults.invalid(path, "", f"must specify one of: {known}")
    elif variable.value:
        faults.invalid(path, "", "may not be specified when `value` is not empty")
    elif given > 1:
        faults.invalid(path, "", "may not have more than one field specified at a time")


def field_ref(faults: Faults, reference: v1.ObjectFieldSelector, path: str, offered: Sequence[str]) -> None:
    """A field of the pod: one of those that are offered, or one label or annotation."""
    field = reference.field_path
    if not faults.required(f"{path}.apiVersion", reference.api_version):
        return
    if not faults.required(f"{path}.fieldPath", field):
        return
    if reference.api_version != "v1":
        detail = f"error converting fieldPath: unsupported pod version: {reference.api_version}"
        faults.invalid(f"{path}.fieldPath", field, detail)
        return
    base, subscript = _split(field)
    if base not in (_SUBSCRIPTED if subscript is not None else _CONVERTIBLE):
        unknown = f"field label does not support subscript: {field}" if subscript is not None else ""
        detail = f"error converting fieldPath: {unknown or f'field label not supported: {field}'}"
        faults.invalid(f"{path}.fieldPath", field, detail)
    elif subscript is not None:
        key = subscript.lower() if base == "metadata.annotations" else subscript
        faults.grammar(path, key, names.qualified_name)
    elif base not in offered:
        faults.append(errors.not_supported(f"{path}.fieldPath", base, sorted(offered)))


def _split(field: str) -> tuple[str, str | None]:
    """``metadata.labels['a']`` in two; a path without subscript has None."""
    if not field.endswith("']"):
        return field, None
    base, found, subscript = field[:-2].partition("['")
    return (base, subscript) if found and base else (field, None)


def resource_field(faults: Faults, reference: v1.ResourceFieldSelector, path: str, *, in_volume: bool = False) -> None:
    """A request or limit of a container, in units of the divisor."""
    name = reference.resource
    if in_volume and not reference.container_name:
        faults.append(errors.required(f"{path}.containerName"))
    elif not name:
        faults.append(errors.required(f"{path}.resource"))
    elif name not in _RESOURCES and not name.startswith(_HUGEPAGES):
        faults.append(errors.not_supported(f"{path}.resource", name, _RESOURCES))
    if not reference.divisor or not quantity.parse(reference.divisor):
        return
    resource = name.partition(".")[2]
    known = _DIVISORS.get("hugepages" if resource.startswith("hugepages-") else resource)
    if known is not None and quantity.canonical(reference.divisor) not in known[0]:
        faults.invalid(f"{path}.divisor", name, known[1])


def sources(faults: Faults, values: list[v1.EnvFromSource], path: str) -> None:
    """Variables that come from all keys of an object; upstream says of the list what is wrong with an item's choice."""
    for index, source in enumerate(values):
        place = f"{path}[{index}]"
        if source.prefix:
            faults.grammar(f"{place}.prefix", source.prefix, names.env_name)
        given = 0
        for name, reference in (("configMapRef", source.config_map_ref), ("secretRef", source.secret_ref)):
            if reference is not None:
                given += 1
                faults.name(f"{place}.{name}.name", reference.name, names.dns1123_subdomain)
        if not given:
            faults.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")
        elif given > 1:
            faults.invalid(path, "", "may not have more than one field specified at a time")


def file_volumes(
    faults: Faults, container: v1.Container | v1.EphemeralContainer, path: str, known: dict[str, v1.Volume]
) -> None:
    """Variables that come from files are in volumes of the pod's own."""
    for index, variable in enumerate(container.env):
        if variable.value_from is None or (file := variable.value_from.file_key_ref) is None:
            continue
        place = f"{path}.env[{index}].valueFrom.fileKeyRef.volumeName"
        if (volume := known.get(file.volume_name)) is None:
            faults.append(errors.not_found_value(place, file.volume_name))
        elif volume.empty_dir is None:
            faults.invalid(place, file.volume_name, "referenced volume must be of type emptyDir")
