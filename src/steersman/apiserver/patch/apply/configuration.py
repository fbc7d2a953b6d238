"""The body of an application: a part of an object, in YAML or JSON, that somebody wants to own."""

from __future__ import annotations

from typing import Any

from steersman.api import codecs
from steersman.api.errors import bad_request
from steersman.api.yaml import YAMLError


class Configuration:
    """A parsed body; ``problems`` are its duplicate keys.  Raises 400 for what is no object."""

    def __init__(self, body: bytes) -> None:
        self.problems: list[str] = []
        try:
            tree = codecs.load_yaml(body, self.problems)
        except (YAMLError, codecs.FieldProblem) as error:
            raise bad_request(f"error decoding YAML: {error}") from None
        if tree is None:
            tree = {}
        if not isinstance(tree, dict):
            found = "array" if isinstance(tree, list) else "string" if isinstance(tree, str) else "number"
            raise bad_request(
                "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal "
                f"{found} into Go value of type map[string]interface {{}}"
            )
        self.tree: dict[str, Any] = tree

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata, whatever it is."""
        found = self.tree.get("metadata")
        return found if isinstance(found, dict) else {}

    @property
    def kind(self) -> str:
        """Version and kind as Go prints them: ``apps/v1, Kind=Deployment``."""
        version, kind = self.tree.get("apiVersion") or "", self.tree.get("kind") or ""
        return f"{version if '/' in str(version) else f'/{version}'}, Kind={kind}"

    @property
    def identity(self) -> str:
        """What the configuration is about, for messages."""
        namespace, name = self.metadata.get("namespace") or "", self.metadata.get("name") or ""
        return f"{namespace}/{name}; {self.kind}"

    def verdict(self, validation: str) -> list[str]:
        """What to warn of, by the strictness of the request; raises 400 where it is strict."""
        if self.problems and validation == "Strict":
            raise bad_request(f"error strict decoding YAML: {', '.join(self.problems)}")
        return [] if validation == "Ignore" else self.problems

    def check(self, type_: type[Any]) -> None:
        """Raise 400 for another kind than is asked for, and for managers of its own."""
        expected = type_()
        if (self.tree.get("apiVersion"), self.tree.get("kind")) != (expected.api_version, expected.kind):
            raise bad_request(f"invalid object type: {self.kind}")
        if self.metadata.get("managedFields") is not None:
            raise bad_request("metadata.managedFields must be nil")
