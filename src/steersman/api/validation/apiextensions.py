"""The group apiextensions.k8s.io: CustomResourceDefinitions.  What their schemas may be is in :mod:`.schemas`.

Paths are those of the type upstream validates, where what all versions have in common stands above them:
``spec.validation`` and not ``spec.versions[0].schema``, ``conversion.webhookClientConfig`` and not
``conversion.webhook.clientConfig``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from cryptography import x509

from steersman.api import errors
from steersman.api.types import apiextensions_v1 as v1

from . import names, pem, schemas
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
    _spec(faults, spec, checked_bundle=False)
    _stored_versions(faults, obj)
    _approval(faults, obj, None)
    _preserving(faults, spec)


def definition_update(faults: Faults, new: v1.CustomResourceDefinition, old: v1.CustomResourceDefinition) -> None:
    established = any(each.type == "Established" and each.status == "True" for each in old.status.conditions)
    _spec(faults, new.spec, checked_bundle=established and not _bundle_fault(old.spec.conversion))
    if established:
        faults.immutable("spec.scope", new.spec.scope, old.spec.scope)
        faults.immutable("spec.names.kind", new.spec.names.kind, old.spec.names.kind)
    faults.immutable("spec.group", new.spec.group, old.spec.group)
    faults.immutable("spec.names.plural", new.spec.names.plural, old.spec.names.plural)
    _stored_versions(faults, new)
    _approval(faults, new, old)
    if not old.spec.preserve_unknown_fields:
        _preserving(faults, new.spec)


def definition_status(faults: Faults, new: v1.CustomResourceDefinition, old: v1.CustomResourceDefinition) -> None:
    if new.status.accepted_names is not None:
        _names(faults, new.status.accepted_names, "status.acceptedNames")


def _stored_versions(faults: Faults, obj: v1.CustomResourceDefinition) -> None:
    stored, place = obj.status.stored_versions, "status.storedVersions"
    if not stored:
        faults.invalid(place, None, "must have at least one stored version")
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


def _spec(faults: Faults, spec: v1.CustomResourceDefinitionSpec, *, checked_bundle: bool) -> None:
    """``checked_bundle``: whether the certificates of a conversion's webhook must be readable."""
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
    _common_parts(faults, spec)
    if spec.conversion is not None:
        if spec.conversion.strategy != "None" and spec.preserve_unknown_fields:
            told = "must be None if spec.preserveUnknownFields is true"
            faults.invalid("spec.conversion.strategy", spec.conversion.strategy, told)
        _conversion(faults, spec.conversion, "spec.conversion", ca_bundle=checked_bundle)


def _preserving(faults: Faults, spec: v1.CustomResourceDefinitionSpec) -> None:
    if spec.preserve_unknown_fields:
        faults.invalid(
            "spec.preserveUnknownFields",
            True,
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
        )


class _Part(NamedTuple):
    """A member of versions: where it is reported if all have the same, and where if not."""

    attribute: str
    above: str
    beside: str
    check: Callable[[Faults, v1.CustomResourceDefinitionVersion, str], None]

    def shared(self, versions: Sequence[v1.CustomResourceDefinitionVersion]) -> bool:
        """Whether all versions have the same."""
        return all(getattr(version, self.attribute) == getattr(versions[0], self.attribute) for version in versions)


def _versions(faults: Faults, spec: v1.CustomResourceDefinitionSpec) -> None:
    versions, place = spec.versions, "spec.versions"
    for index, version in enumerate(versions):
        if version.schema is None or version.schema.open_apiv3_schema is None:
            faults.append(errors.required(f"{place}[{index}].schema.openAPIV3Schema", "schemas are required"))
    apart = [part for part in _parts() if not part.shared(versions)]
    for index, version in enumerate(versions):
        where = f"{place}[{index}]"
        faults.joined(f"{where}.name", version.name, names.dns1035_label)
        for fault in _deprecation_faults(version):
            faults.invalid(f"{where}.deprecationWarning", version.deprecation_warning, fault)
        for part in apart:
            if getattr(version, part.attribute):
                part.check(faults, version, f"{where}.{part.beside}")
    if len({version.name for version in versions}) < len(versions):
        faults.invalid(place, versions, "must contain unique version names")
    if sum(version.storage for version in versions) != 1:
        faults.invalid(place, versions or None, "must have exactly one version marked as storage version")


def _common_parts(faults: Faults, spec: v1.CustomResourceDefinitionSpec) -> None:
    """What all versions have in common, which upstream checks once, above them."""
    for part in _parts():
        if spec.versions and part.shared(spec.versions) and getattr(spec.versions[0], part.attribute):
            part.check(faults, spec.versions[0], f"spec.{part.above}")


def _parts() -> tuple[_Part, ...]:
    return (
        _Part("schema", "validation", "schema", _schema),
        _Part("subresources", "subresources", "subresources", _subresources),
        _Part("additional_printer_columns", "additionalPrinterColumns", "additionalPrinterColumns", _columns),
        _Part("selectable_fields", "selectableFields", "selectableFields", _selectable_fields),
    )


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
        found, fault = schemas.at(schema, field.json_path)
        if found is None:
            faults.invalid(place, field.json_path, f"is an invalid path: {fault}")
            continue
        if field.json_path.split(".")[1] == "metadata":
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


def _bundle_fault(conversion: v1.CustomResourceConversion | None) -> str:
    """What is wrong with the certificates by which a webhook is trusted; empty where there are none."""
    webhook = conversion.webhook if conversion is not None else None
    config = webhook.client_config if webhook is not None else None
    bundle = config.ca_bundle if config is not None else None
    if not bundle:
        return ""
    found = False
    for block in pem.blocks(bundle):
        if block.label == "CERTIFICATE" and not block.headers:
            try:
                x509.load_der_x509_certificate(block.content)
            except ValueError as error:
                return f"x509: {error}"
            found = True
    return "" if found else "data does not contain any valid RSA or ECDSA certificates"


def _conversion(faults: Faults, conversion: v1.CustomResourceConversion, path: str, *, ca_bundle: bool) -> None:
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
    if config is not None and ca_bundle and (fault := _bundle_fault(conversion)):
        faults.invalid(f"{place}.caBundle", config.ca_bundle, f"unable to load root certificates: {fault}")
    versions = webhook.conversion_review_versions if webhook is not None else []
    review_versions(faults, versions, f"{path}.conversionReviewVersions", recognized=True, missing="")


TABLE: dict[type[Any], Rules] = {
    v1.CustomResourceDefinition: Rules(
        definition, definition_update, subresources={"status": definition_status}, recheck=False
    ),
}
