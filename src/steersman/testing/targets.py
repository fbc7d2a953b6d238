"""What ``deployment/web`` means: kinds as kubectl takes them, by plural, singular, kind or short name, with a group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from steersman.api import codecs
from steersman.api.scheme import Object, Resource, Scheme
from steersman.api.versions import version_rank

__tracebackhide__ = True  # pytest shows what the test asked for


class Target(NamedTuple):
    """An object or, without a name, a collection.  The namespace is empty for what has none."""

    resource: Resource[Any]
    name: str
    namespace: str

    def __str__(self) -> str:
        kind = f"{self.resource.singular}.{self.resource.group}" if self.resource.group else self.resource.singular
        text = f"{kind}/{self.name}" if self.name else self.resource.qualified_name
        return f"{text} in {self.namespace}" if self.namespace else text


def find(resources: Iterable[Resource[Any]], text: str) -> Resource[Any]:
    """The resource that is meant: ``deploy``, ``deployments.apps``, ``deployments.v1.apps``; raises ValueError."""
    name, _, group = text.lower().partition(".")
    found = [each for each in resources if name in _names(each) and _is_of(each, group)]
    if not found:
        raise ValueError(f'the server doesn\'t have a resource type "{text}"')
    # The core group first, then those that are built in, as kubectl's discovery has them.
    return min(
        found,
        key=lambda each: (not each.served and not each.custom, each.custom, each.group, version_rank(each.version)),
    )


def _names(resource: Resource[Any]) -> tuple[str, ...]:
    return (resource.name, resource.singular, resource.kind.lower(), *resource.short_names)


def _is_of(resource: Resource[Any], group: str) -> bool:
    return not group or group in (resource.group, f"{resource.version}.{resource.group}")


def target(scheme: Scheme, what: str | Mapping[str, Any] | Object, namespace: str) -> Target:
    """What is meant by a text, ``KIND/NAME`` or ``KIND``, by data or an object; namespaced ones are in this namespace.

    Raises ValueError for what there is no kind of, and for one object that has no name; TypeError for what is neither.
    """
    if isinstance(what, str):
        kind, slash, name = what.partition("/")
        if not kind or (slash and not name):
            raise ValueError(f"{what!r}: arguments in resource/name form must have a single resource and name")
        if "/" in name:
            raise ValueError(f"{what!r}: arguments in resource/name form may not have more than one slash")
        resource = find(scheme, kind)
        return Target(resource, name, namespace if resource.namespaced else "")
    if isinstance(what, Mapping):
        metadata = what.get("metadata") or {}
        api_version, kind = what.get("apiVersion", ""), what.get("kind", "")
        name, its = metadata.get("name", ""), metadata.get("namespace", "")
    elif isinstance(what, type):
        raise TypeError(f"{what.__name__} is a class: write '{what.__name__.lower()}/NAME', or without a name for all")
    elif hasattr(what, "metadata") and hasattr(what, "api_version"):
        api_version, kind, name, its = what.api_version, what.kind, what.metadata.name, what.metadata.namespace
    else:
        raise TypeError(f"{what!r} is neither a text as KIND/NAME, nor data, nor an object of steersman's")
    if not api_version or not kind:
        raise ValueError("data: an object needs apiVersion and kind")
    if (known := scheme.by_kind(api_version, kind)) is None:
        raise ValueError(f'no matches for kind "{kind}" in version "{api_version}"')
    if not name:
        raise ValueError(f"the {kind} has no name: take what apply or create returned, or KIND for all of them")
    return Target(known, name, (its or namespace) if known.namespaced else "")


def as_type(obj: Object, type_: type[Any]) -> Any:
    """The same object in another type of the same kind, such as a :class:`steersman.client.CustomObject`."""
    return obj if isinstance(obj, type_) else codecs.from_builtins(type_, codecs.to_builtins(obj))
