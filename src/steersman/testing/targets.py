"""What ``deployment/web`` means: kinds as kubectl takes them, by plural, singular, kind or short name, with a group."""

from __future__ import annotations

from typing import Any, NamedTuple

from steersman.api import codecs
from steersman.api.scheme import Object, Resource, Scheme
from steersman.api.versions import version_rank


class Target(NamedTuple):
    """An object or, without a name, a collection.  The namespace is empty for what has none."""

    resource: Resource[Any]
    name: str
    namespace: str

    def __str__(self) -> str:
        kind = f"{self.resource.singular}.{self.resource.group}" if self.resource.group else self.resource.singular
        text = f"{kind}/{self.name}" if self.name else self.resource.qualified_name
        return f"{text} in {self.namespace}" if self.namespace else text


def find(scheme: Scheme, text: str) -> Resource[Any]:
    """The resource that is meant: ``deploy``, ``deployments.apps``, ``deployments.v1.apps``; raises ValueError."""
    name, _, group = text.lower().partition(".")
    found = [each for each in scheme if name in _names(each) and _is_of(each, group)]
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


def target(scheme: Scheme, what: str | Object, namespace: str) -> Target:
    """What is meant by a text, ``KIND/NAME`` or ``KIND``, or by an object; namespaced ones are in this namespace."""
    if isinstance(what, str):
        kind, _, name = what.partition("/")
        resource = find(scheme, kind)
        return Target(resource, name, namespace if resource.namespaced else "")
    resource_ = scheme.by_kind(what.api_version, what.kind)
    if resource_ is None:
        raise ValueError(f'no matches for kind "{what.kind}" in version "{what.api_version}"')
    return Target(resource_, what.metadata.name, (what.metadata.namespace or namespace) if resource_.namespaced else "")


def as_type(obj: Object, type_: type[Any]) -> Any:
    """The same object in another type of the same kind, such as a :class:`steersman.client.CustomObject`."""
    return obj if isinstance(obj, type_) else codecs.from_builtins(type_, codecs.to_builtins(obj))
