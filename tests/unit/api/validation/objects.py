"""Objects to validate: a valid one of each kind, and merge patches (RFC 7396) that make it wrong."""

from __future__ import annotations

from typing import Any

from steersman.api import codecs
from steersman.api.defaults import apply_defaults
from steersman.api.validation import validate, validate_update
from steersman.api.yaml import load_yaml

Faults = list[str]


def merged(base: Any, patch: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(patch, dict):
        return patch
    found = {**base, **{key: merged(base.get(key, {}), value) for key, value in patch.items()}}
    return {key: value for key, value in found.items() if value is not None}


class Valid:
    """The valid object of a kind, from its YAML, and what validation says of the objects that patches make of it."""

    def __init__(self, type_: type[Any], text: str, namespace: str = "default") -> None:
        self.type_ = type_
        metadata = {"name": "x", "namespace": namespace or None}
        self.tree = merged({"metadata": metadata}, load_yaml(text))

    def build(self, *patches: str) -> Any:
        tree = self.tree
        for patch in patches:
            tree = merged(tree, load_yaml(patch) or {})
        obj = codecs.from_builtins(self.type_, tree)
        apply_defaults(obj)
        return obj

    def faults(self, *patches: str) -> Faults:
        return [str(fault) for fault in validate(self.build(*patches))]

    def change(self, old: str, new: str, subresource: str = "") -> Faults:
        """The faults of the change from one patched object to the same with another patch."""
        before, after = self.build(old), self.build(old, new)
        return [str(fault) for fault in validate_update(after, before, subresource)]
