"""What every object has in common: names, labels, annotations, owners, finalizers; and label selectors."""

from __future__ import annotations

from collections.abc import Mapping

from steersman.api import errors
from steersman.api.shapes import struct_shape
from steersman.api.types import meta_v1

from . import names
from .faults import Faults, Grammar, verdict

ANNOTATIONS_LIMIT = 256 * 1024
MANAGER_LIMIT = 128
SUBRESOURCE_LIMIT = 256
STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")
_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def object_meta(
    faults: Faults, meta: meta_v1.ObjectMeta, namespaced: bool, grammar: Grammar, path: str = "metadata"
) -> None:
    """Metadata of an object that is created or updated."""
    if meta.generate_name:
        # What will follow the prefix is alphanumeric: a trailing dash, and what stands before it, is fine.
        prefix = meta.generate_name
        checked = prefix[:-2] + "a" if prefix.endswith("-") and len(prefix) > 1 else prefix
        for fault in verdict(grammar, checked):
            faults.invalid(f"{path}.generateName", prefix, fault)
    if not meta.name:
        faults.append(errors.required(f"{path}.name", "name or generateName is required"))
    else:
        faults.grammar(f"{path}.name", meta.name, grammar)
    if namespaced:
        if faults.required(f"{path}.namespace", meta.namespace):
            faults.grammar(f"{path}.namespace", meta.namespace, names.dns1123_label)
    elif meta.namespace:
        faults.forbidden(f"{path}.namespace", "not allowed on this type")
    faults.natural(f"{path}.generation", meta.generation)
    common(faults, meta, path)


def common(faults: Faults, meta: meta_v1.ObjectMeta, path: str = "metadata") -> None:
    """What also applies to the metadata of templates, which have no name."""
    faults.labels(f"{path}.labels", meta.labels)
    if meta.annotations:
        annotation_rules(faults, meta, f"{path}.annotations")
    if meta.owner_references:
        _owners(faults, meta, f"{path}.ownerReferences")
    if meta.finalizers:
        _finalizers(faults, meta, f"{path}.finalizers")
    if meta.managed_fields:
        _managed_fields(faults, meta.managed_fields, f"{path}.managedFields")


def annotation_rules(faults: Faults, meta: meta_v1.ObjectMeta, path: str) -> None:
    """Keys are qualified names in any case; the whole is limited."""
    size = 0
    for key, value in meta.annotations.items():
        for fault in verdict(names.qualified_name, key.lower()):
            faults.invalid(path, key, fault)
        size += len(key.encode()) + len(value.encode())
    if size > ANNOTATIONS_LIMIT:
        faults.append(errors.too_long(path, ANNOTATIONS_LIMIT))


def template_meta(faults: Faults, value: meta_v1.ObjectMeta, path: str) -> None:
    """Metadata of a template of which only labels and annotations are used: nothing else may be there."""
    annotation_rules(faults, value, f"{path}.annotations")
    faults.labels(f"{path}.labels", value.labels)
    for member in struct_shape(meta_v1.ObjectMeta).members.values():
        if member.name not in ("annotations", "labels") and getattr(value, member.attribute):
            faults.forbidden(f"{path}.{member.name}", "cannot be set")


def user_annotations(faults: Faults, values: Mapping[str, str], path: str) -> None:
    """Annotations of a user's own, whose keys have domains."""
    for key in values:
        domain, slash, name = key.lower().partition("/")
        if not slash:
            faults.invalid(path, key.lower(), 'must be a domain-prefixed key (such as "acme.io/foo")')
            continue
        for fault in (*verdict(names.dns1123_subdomain, domain), *verdict(names.path_segment, name)):
            faults.invalid(path, key.lower(), fault)
    if sum(len(key.encode()) + len(value.encode()) for key, value in values.items()) > ANNOTATIONS_LIMIT:
        faults.append(errors.too_long(path, ANNOTATIONS_LIMIT))


def _owners(faults: Faults, meta: meta_v1.ObjectMeta, path: str) -> None:
    controller = ""
    for owner in meta.owner_references:
        group, _, version = owner.api_version.rpartition("/")
        if not version:
            faults.invalid(f"{path}.apiVersion", owner.api_version, "version must not be empty")
        for member in ("kind", "name", "uid"):
            if not getattr(owner, member):
                faults.invalid(f"{path}.{member}", "", f"{member} must not be empty")
        if (group, version, owner.kind) == ("", "v1", "Event"):
            faults.invalid(path, owner, "/v1, Kind=Event is disallowed from being an owner")
        if owner.controller:
            this = f"{owner.kind}/{owner.name}"
            if controller:
                faults.invalid(
                    path,
                    meta.owner_references,
                    f'Only one reference can have Controller set to true. Found "true" in references for {controller} '
                    f"and {this}",
                )
            else:
                controller = this


def _finalizers(faults: Faults, meta: meta_v1.ObjectMeta, path: str) -> None:
    for finalizer in meta.finalizers:
        faults.grammar(path, finalizer, names.qualified_name)
    if {"orphan", "foregroundDeletion"} <= set(meta.finalizers):
        faults.invalid(path, meta.finalizers, "finalizer orphan and foregroundDeletion cannot be both set")
    for index, finalizer in enumerate(meta.finalizers):
        standard_finalizer(faults, finalizer, f"{path}[{index}]")


def standard_finalizer(faults: Faults, finalizer: str, path: str) -> None:
    """Only Kubernetes' own finalizers may be without a domain."""
    if "/" not in finalizer and finalizer not in STANDARD_FINALIZERS:
        faults.invalid(path, finalizer, "name is neither a standard finalizer name nor is it fully qualified")


def _managed_fields(faults: Faults, entries: list[meta_v1.ManagedFieldsEntry], path: str) -> None:
    for index, entry in enumerate(entries):
        if entry.operation not in ("Apply", "Update"):
            faults.invalid(f"{path}[{index}].operation", entry.operation, "must be `Apply` or `Update`")
        if entry.fields_type not in ("", "FieldsV1"):
            faults.invalid(f"{path}[{index}].fieldsType", entry.fields_type, "must be `FieldsV1`")
        if len(entry.manager) > MANAGER_LIMIT:
            faults.append(errors.too_long(f"{path}[{index}].manager", MANAGER_LIMIT))
        if not entry.manager.isprintable():
            faults.invalid(f"{path}[{index}].manager", entry.manager, "should only contain printable characters")
        if len(entry.subresource) > SUBRESOURCE_LIMIT:
            faults.append(errors.too_long(f"{path}[{index}].subresource", SUBRESOURCE_LIMIT))


def object_meta_update(
    faults: Faults, new: meta_v1.ObjectMeta, old: meta_v1.ObjectMeta, path: str = "metadata"
) -> None:
    """What may not change, ever."""
    if old.deletion_timestamp is not None and (added := set(new.finalizers) - set(old.finalizers)):
        faults.forbidden(
            f"{path}.finalizers",
            "no new finalizers can be added if the object is being deleted, found new finalizers "
            f"[]string{{{', '.join(errors.go_value(name) for name in sorted(added))}}}",
        )
    if (new.generation or 0) < (old.generation or 0):
        faults.invalid(f"{path}.generation", new.generation or 0, "must not be decremented")
    for attribute, name in (
        ("name", "name"),
        ("namespace", "namespace"),
        ("uid", "uid"),
        ("creation_timestamp", "creationTimestamp"),
        ("deletion_timestamp", "deletionTimestamp"),
        ("deletion_grace_period_seconds", "deletionGracePeriodSeconds"),
    ):
        if (wanted := getattr(new, attribute)) != (present := getattr(old, attribute)):
            faults.immutable(f"{path}.{name}", wanted, present)


def label_selector(faults: Faults, selector: meta_v1.LabelSelector | None, path: str) -> None:
    """The selector of a spec."""
    if selector is None:
        return
    faults.labels(f"{path}.matchLabels", selector.match_labels)
    for index, expression in enumerate(selector.match_expressions):
        place = f"{path}.matchExpressions[{index}]"
        if expression.operator in ("In", "NotIn"):
            if not expression.values:
                faults.append(
                    errors.required(f"{place}.values", "must be specified when `operator` is 'In' or 'NotIn'")
                )
        elif expression.operator in ("Exists", "DoesNotExist"):
            if expression.values:
                faults.forbidden(
                    f"{place}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                )
        else:
            faults.invalid(f"{place}.operator", expression.operator, "not a valid selector operator")
        faults.grammar(f"{place}.key", expression.key, names.qualified_name)
        for number, value in enumerate(expression.values):
            faults.grammar(f"{place}.values[{number}]", value, names.label_value)


def empty_selector(selector: meta_v1.LabelSelector | None) -> bool:
    """Whether a selector would match everything, or is missing."""
    return selector is None or not (selector.match_labels or selector.match_expressions)
