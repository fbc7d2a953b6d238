"""The objects by which a binding is parametrized."""

from __future__ import annotations

from typing import Any

from steersman.api import codecs
from steersman.api.errors import StatusError, is_not_found
from steersman.api.selectors import from_label_selector
from steersman.api.types.admissionregistration_v1 import ParamKind, ParamRef
from steersman.apiserver.registry.contract import ListOptions
from steersman.apiserver.registry.registry import Registry


class Misconfigured(ValueError):
    """A policy or a binding that cannot be carried out."""


async def params(registry: Registry, kind: ParamKind | None, reference: ParamRef | None, namespace: str) -> list[Any]:
    """The data of the parameter objects: ``[None]`` where there are to be none, empty where none are found and may be.

    ``namespace`` is that of the request.  Raises :class:`Misconfigured`.
    """
    if kind is None or reference is None:
        return [None]
    resource = registry.scheme.by_kind(kind.api_version, kind.kind)
    if resource is None:  # removed a moment ago
        raise Misconfigured(f"paramKind kind `{kind.api_version}, Kind={kind.kind}` not known")
    place = ""
    if resource.namespaced:
        place = reference.namespace or namespace
        if not place:
            raise Misconfigured(
                "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
            )
    elif reference.namespace:
        raise Misconfigured("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
    handler = registry.handler(resource)
    try:
        if reference.name:
            found = [await handler.get(place, reference.name, resource_version="0")]
        else:
            selector = str(from_label_selector(reference.selector))
            page = await handler.list(place, ListOptions(label_selector=selector, resource_version="0"))
            found = list(page.entries)
    except StatusError as error:
        if not is_not_found(error):
            raise Misconfigured(str(error)) from error
        found = []
    if not found and reference.parameter_not_found_action != "Allow":
        raise Misconfigured("no params found for policy binding with `Deny` parameterNotFoundAction")
    return [codecs.to_builtins(entry.object) for entry in found]
