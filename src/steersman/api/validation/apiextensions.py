"""The group apiextensions.k8s.io: CustomResourceDefinitions.  What their schemas may be is in :mod:`.schemas`.

Paths are those of the type upstream validates, where what all versions have in common stands above them:
``spec.validation`` and not ``spec.versions[0].schema``, ``conversion.webhookClientConfig`` and not
``conversion.webhook.clientConfig``.
"""

from __future__ import annotations

import re
from typing import Any

from steersman.api import errors
from steersman.api.types import apiextensions_v1 as v1

from . import names, schemas
from .faults import Faults
from .forms import webhook_service, webhook_url
from .rules import Rules
from .webhooks import review_versions

APPROVAL = "api-approved.kubernetes.io"
MAX_SELECTABLE_FIELDS = 8
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_PROTECTED = ("k8s.io", "kubernetes.io")
_SEE = "see https://github.com/kubernetes/enhancements/pull/1111"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/\s]+\S*")


def definition(faults: Faults, obj: v1.CustomResourceDefinition) -> None:
    """A new definition."""
    spec, meta = obj.spec, obj.metadata
    if meta.name != f"{spec.names.plural}.{spec.group}":
        faults.invalid("metadata.name", meta.name, 'must be spec.names.plural+"."+spec.group')
    _spec(faults, spec)
    _stored_versions(faults, obj)
    _approval(faults, obj, None)


def definition_update(faults: Faults, new: v1.CustomResourceDefinition, old: v1.CustomResourceDefinition) -> None:
    _spec(faults, new.spec)
    if any(each.type == "Established" and each.status == "True" for each in old.status.conditions):
        faults.immutable("spec.scope", new.spec.scope, old.spec.scope)
        faults.immutable("spec.names.kind", new.spec.names.kind, old.spec.names.kind)
    faults.immutable("spec.group", new.spec.group, old.spec.group)
    faults.immutable("spec.names.plural", new.spec.names.plural, old.spec.names.plural)
    _stored_versions(faults, new)
    _approval(faults, new, old)


def definition_status(faults: Faults, new: v1.CustomResourceDefinition, old: v1.CustomResourceDefinition) -> None:
    if new.status.accepted_names is not None:
        _names(faults, new.status.accepted_names, "status.acceptedNames")


def _stored_versions(faults: Faults, obj: v1.CustomResourceDefinition) -> None:
    stored, place = obj.status.stored_versions, "status.storedVersions"
    if not stored:
        faults.invalid(place, stored, "must have at least one stored version")
        return
    present = {version.name for version in obj.spec.versions}
    for version in obj.spec.versions:
        if version.storage and version.name not in stored:
            faults.invalid(place, stored, f"must have the storage version {version.name}")
    for index, name in enumerate(stored):
        if name not in present:
            faults.invalid(
                f"{place}[{index}]",
                name,
                f"missing from spec.versions; {name} was previously a storage version, and must remain in "
                f"spec.versions until a storage migration ensures no data remains persisted in {name} and removes "
                f"{name} from status.storedVersions",
            )


def _approval(faults: Faults, new: v1.CustomResourceDefinition, old: v1.CustomResourceDefinition | None) -> None:
    """Groups of Kubernetes' own domains need a reference to who approved them (KEP-1111)."""
    group = new.spec.group
    if not any(group == domain or group.endswith(f".{domain}") for domain in _PROTECTED):
        return
    said = new.metadata.annotations.get(APPROVAL, "")
    state = _approval_state(said)
    if state in ("approved", "bypassed"):
        return
    if old is not None and _approval_state(old.metadata.annotations.get(APPROVAL, "")) == state:
        return
    place = f"metadata.annotations[{APPROVAL}]"
    intro = f'protected groups must have approval annotation "{APPROVAL}"'
    if state == "missing":
        faults.append(errors.required(place, f"{intro}, {_SEE}"))
    else:
        detail = f'{intro} with either a URL or a reason starting with "unapproved", {_SEE}'
        faults.invalid(place, said, detail)


def _approval_state(said: str) -> str:
    if not said:
        return "missing"
    if said.startswith("unapproved"):
        return "bypassed"
    return "approved" if _URL.fullmatch(said) else "invalid"


def _spec(faults: Faults, spec: v1.CustomResourceDefinitionSpec) -> None:
    if faults.required("spec.group", spec.group):
        before = len(faults)
        faults.joined("spec.group", spec.group, names.dns1123_subdomain)
        if len(faults) == before and "." not in spec.group:
            faults.invalid("spec.group", spec.group, "should be a domain with at least one dot")
    if faults.required("spec.scope", spec.scope) and spec.scope not in ("Cluster", "Namespaced"):
        faults.unsupported("spec.scope", spec.scope, ("Cluster", "Namespaced"))
    _versions(faults, spec)
    for name, value in (
        ("plural", spec.names.plural),
        ("singular", spec.names.singular),
        ("kind", spec.names.kind),
        ("listKind", spec.names.list_kind),
    ):
        faults.required(f"spec.names.{name}", value)
    _names(faults, spec.names, "spec.names")
    if spec.conversion is not None:
        _conversion(faults, spec.conversion, "spec.conversion")
    if spec.preserve_unknown_fields:
        faults.invalid(
            "spec.preserveUnknownFields",
            True,
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
        )


def _versions(faults: Faults, spec: v1.CustomResourceDefinitionSpec) -> None:
    versions, place = spec.versions, "spec.versions"
    for index, version in enumerate(versions):
        where = f"{place}[{index}]"
        if version.schema is None or version.schema.open_apiv3_schema is None:
            faults.append(errors.required(f"{where}.schema.openAPIV3Schema", "schemas are required"))
        faults.joined(f"{where}.name", version.name, names.dns1035_label)
        for fault in _deprecation_faults(version):
            faults.invalid(f"{where}.deprecationWarning", version.deprecation_warning, fault)
    if len({version.name for version in versions}) < len(versions):
        faults.invalid(place, versions, "must contain unique version names")
    if sum(version.storage for version in versions) != 1:
        faults.invalid(place, versions, "must have exactly one version marked as storage version")
    for attribute, above, beside, check in (
        ("schema", "validation", "schema", _schema),
        ("subresources", "subresources", "subresources", _subresources),
        ("additional_printer_columns", "additionalPrinterColumns", "additionalPrinterColumns", _columns),
        ("selectable_fields", "selectableFields", "selectableFields", _selectable_fields),
    ):
        shared = all(getattr(version, attribute) == getattr(versions[0], attribute) for version in versions)
        for index, version in enumerate(versions[:1] if shared else versions):
            if getattr(version, attribute):
                check(faults, version, f"spec.{above}" if shared else f"{place}[{index}].{beside}")


def _deprecation_faults(version: v1.CustomResourceDefinitionVersion) -> list[str]:
    warning = version.deprecation_warning
    if not warning:
        return []
    if not version.deprecated:
        return ["can only be set for deprecated versions"]
    found = []
    if len(warning.encode()) > 256:
        found.append("must be <= 256 characters long")
    position = next((index for index, character in enumerate(warning) if not character.isprintable()), None)
    if position is not None:
        offset = len(warning[:position].encode())
        found.append(f"must only contain printable UTF-8 characters; non-printable character found at index {offset}")
    return found


def _schema(faults: Faults, version: v1.CustomResourceDefinitionVersion, path: str) -> None:
    schema = version.schema.open_apiv3_schema if version.schema is not None else None
    if schema is not None:
        has_status = version.subresources is not None and version.subresources.status is not None
        schemas.root(faults, schema, f"{path}.openAPIV3Schema", has_status=has_status)


def _subresources(faults: Faults, version: v1.CustomResourceDefinitionVersion, path: str) -> None:
    scale = version.subresources.scale if version.subresources is not None else None
    if scale is None:
        return
    for name, value, root in (
        ("specReplicasPath", scale.spec_replicas_path, "spec"),
        ("statusReplicasPath", scale.status_replicas_path, "status"),
    ):
        place = f"{path}.scale.{name}"
        simple = faults.required(place, value) and _simple_path(faults, value, place)
        if simple and not value.startswith(f".{root}."):
            faults.invalid(place, value, f"should be a json path under .{root}")
    value, place = scale.label_selector_path, f"{path}.scale.labelSelectorPath"
    if value and _simple_path(faults, value, place) and not value.startswith((".spec.", ".status.")):
        faults.invalid(place, value, "should be a json path under either .spec or .status")


def _simple_path(faults: Faults, text: str, path: str) -> bool:
    if not text.startswith("."):
        faults.invalid(path, text, "must be a simple json path starting with .")
    return text.startswith(".")


def _columns(faults: Faults, version: v1.CustomResourceDefinitionVersion, path: str) -> None:
    for index, column in enumerate(version.additional_printer_columns):
        place = f"{path}[{index}]"
        faults.required(f"{place}.name", column.name)
        detail = f"must be one of {','.join(_COLUMN_TYPES)}"
        if faults.required(f"{place}.type", column.type, detail) and column.type not in _COLUMN_TYPES:
            faults.invalid(f"{place}.type", column.type, detail)
        if column.format and column.format not in _COLUMN_FORMATS:
            faults.invalid(f"{place}.format", column.format, f"must be one of {','.join(_COLUMN_FORMATS)}")
        if faults.required(f"{place}.JSONPath", column.json_path):
            _simple_path(faults, column.json_path, f"{place}.JSONPath")


def _selectable_fields(faults: Faults, version: v1.CustomResourceDefinitionVersion, path: str) -> None:
    schema = version.schema.open_apiv3_schema if version.schema is not None else None
    if schema is None:
        detail = "selectableFields may only be set when version.schema.openAPIV3Schema is not included"
        faults.invalid(path, "", detail)
        return
    seen: set[str] = set()
    for index, field in enumerate(version.selectable_fields):
        place = f"{path}[{index}].jsonPath"
        if not faults.required(place, field.json_path):
            continue
        found = schemas.at(schema, field.json_path)
        if found is None:
            steps = field.json_path.removeprefix(".")
            detail = f"is an invalid path: does not refer to a valid field: {steps}"
            faults.invalid(place, field.json_path, detail)
            continue
        if field.json_path.startswith(".metadata"):
            faults.invalid(place, field.json_path, "must not point to fields in metadata")
        if found.type not in ("string", "boolean", "integer"):
            faults.invalid(
                place,
                field.json_path,
                "must point to a field of type string, boolean or integer. Enum string fields and strings with "
                "formats are allowed.",
            )
        faults.unique(place, field.json_path, seen)
    faults.fewer(path, len(seen), MAX_SELECTABLE_FIELDS)


def _names(faults: Faults, given: v1.CustomResourceDefinitionNames, path: str) -> None:
    for name, value in (("plural", given.plural), ("singular", given.singular)):
        if value:
            faults.joined(f"{path}.{name}", value, names.dns1035_label)
    mixed = "may have mixed case, but should otherwise match: "
    for name, value in (("kind", given.kind), ("listKind", given.list_kind)):
        if value:
            faults.joined(f"{path}.{name}", value.lower(), names.dns1035_label, mixed, value)
    for index, value in enumerate(given.short_names):
        faults.joined(f"{path}.shortNames[{index}]", value, names.dns1035_label)
    if given.kind and given.kind == given.list_kind:
        faults.invalid(f"{path}.listKind", given.list_kind, "kind and listKind may not be the same")
    for index, value in enumerate(given.categories):
        faults.joined(f"{path}.categories[{index}]", value, names.dns1035_label)


def _conversion(faults: Faults, conversion: v1.CustomResourceConversion, path: str) -> None:
    webhook = conversion.webhook
    if faults.required(f"{path}.strategy", conversion.strategy) and conversion.strategy not in ("None", "Webhook"):
        faults.unsupported(f"{path}.strategy", conversion.strategy, ("None", "Webhook"))
    if conversion.strategy != "Webhook":
        unwanted = "should not be set when strategy is not set to Webhook"
        if webhook is not None and webhook.client_config is not None:
            faults.forbidden(f"{path}.webhookClientConfig", unwanted)
        if webhook is not None and webhook.conversion_review_versions:
            faults.forbidden(f"{path}.conversionReviewVersions", unwanted)
        return
    place = f"{path}.webhookClientConfig"
    config = webhook.client_config if webhook is not None else None
    if config is None:
        faults.append(errors.required(place, "required when strategy is set to Webhook"))
    elif bool(config.url) == (config.service is not None):
        faults.append(errors.required(place, "exactly one of url or service is required"))
    elif config.service is None:
        webhook_url(faults, f"{place}.url", config.url)
    else:
        service = config.service
        webhook_service(faults, f"{place}.service", service.name, service.namespace, service.path, service.port)
    versions = webhook.conversion_review_versions if webhook is not None else []
    review_versions(faults, versions, f"{path}.conversionReviewVersions", recognized=True, missing="")


TABLE: dict[type[Any], Rules] = {
    v1.CustomResourceDefinition: Rules(
        definition, definition_update, subresources={"status": definition_status}, recheck=False
    ),
}
