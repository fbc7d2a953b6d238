"""Objects to validate: a valid one of each kind, and merge patches (RFC 7396) that make it wrong."""

from __future__ import annotations

from typing import Any, NamedTuple

from steersman.api import codecs
from steersman.api.defaults import apply_defaults
from steersman.api.validation import validate, validate_update
from steersman.api.yaml import load_yaml

Faults = list[str]
Row = tuple[str, str, Faults]
"""A kind, what is patched, and what is said of the new object."""


class Change(NamedTuple):
    """What is said of the change from one patched object to the same with another patch."""

    kind: str
    new: str
    faults: Faults
    old: str = "{}"
    subresource: str = ""


def merged(base: Any, patch: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(patch, dict):
        return patch
    found = {**base, **{key: merged(base.get(key, {}), value) for key, value in patch.items()}}
    return {key: value for key, value in found.items() if value is not None}


def built(type_: type[Any], *texts: str) -> Any:
    """An object as it is after defaulting: the first text, and patches."""
    tree: Any = {}
    for text in texts:
        tree = merged(tree, load_yaml(text) or {})
    obj = codecs.from_builtins(type_, tree)
    apply_defaults(obj)
    return obj


class Valid:
    """The valid object of a kind, from its YAML, and what validation says of the objects that patches make of it."""

    def __init__(self, type_: type[Any], text: str, namespace: str = "default") -> None:
        self.type_ = type_
        self.texts = (f"metadata: {{name: x, namespace: {namespace or 'null'}}}", text)

    def build(self, *patches: str) -> Any:
        return built(self.type_, *self.texts, *patches)

    def faults(self, *patches: str) -> Faults:
        return [str(fault) for fault in validate(self.build(*patches))]

    def change(self, old: str, new: str, subresource: str = "") -> Faults:
        """The faults of the change from one patched object to the same with another patch."""
        before, after = self.build(old), self.build(old, new)
        return [str(fault) for fault in validate_update(after, before, subresource)]
