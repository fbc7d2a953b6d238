"""Definitions as large as people ship: what Kubernetes says of pods and claims, expanded wherever operators put it."""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

_KEPT = (
    "description",
    "type",
    "format",
    "enum",
    "required",
    "default",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
)
_INT_OR_STRING: Schema = {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}
_QUANTITY = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)
_DURATION = "^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$"
_LEAVES: Mapping[str, Schema] = {
    "Quantity": {**_INT_OR_STRING, "pattern": _QUANTITY},
    "IntOrString": _INT_OR_STRING,
    "Time": {"type": "string", "format": "date-time"},
    "ObjectMeta": {"type": "object"},
    "FieldsV1": {"type": "object"},
}


class Expander:
    """Makes structural schemas of those of `/openapi/v3/api/v1`, as generators from Go types do."""

    def __init__(self, document: Any) -> None:
        self._schemas = document["components"]["schemas"]

    def type(self, name: str) -> Schema:
        """A type of core/v1."""
        return self._named(f"io.k8s.api.core.v1.{name}")

    def _named(self, name: str) -> Schema:
        leaf = _LEAVES.get(name.rpartition(".")[2])
        return {**leaf} if leaf is not None else self._of(self._schemas[name])

    def _of(self, schema: Schema) -> Schema:
        for reference in (schema, *schema.get("allOf", ())):
            if "$ref" in reference:
                found = self._named(reference["$ref"].rpartition("/")[2])
                return {**found, "description": schema.get("description", "")}
        result = {name: schema[name] for name in _KEPT if name in schema}
        if not result.get("default"):
            result.pop("default", None)
        for name, member in schema.get("properties", {}).items():
            result.setdefault("properties", {})[name] = self._of(member)
        for name in ("items", "additionalProperties"):
            if name in schema:
                result[name] = self._of(schema[name])
        for key in result.get("x-kubernetes-list-map-keys", ()):
            items = result["items"]
            if key == "protocol":
                items["properties"][key]["default"] = "TCP"
            elif key not in items.get("required", ()):
                items["required"] = [*items.get("required", ()), key]
        return result


def prometheuses(core: Expander, group: str) -> Schema:
    """In the shape of the Prometheus operator's: most of a pod, a claim, and much of its own; in two versions."""
    spec = core.type("PodSpec")
    del spec["required"]
    spec["properties"] |= {
        "storage": {"type": "object", "properties": {"volumeClaimTemplate": core.type("PersistentVolumeClaim")}},
        **{
            f"scrape{number}": {
                "type": "object",
                "description": "How targets are found and asked, told at some length. " * 4,
                "properties": {
                    "interval": {"type": "string", "pattern": _DURATION},
                    "limit": {"type": "integer", "minimum": 0},
                },
            }
            for number in range(100)
        },
    }
    return definition(group, "prometheuses", "Prometheus", spec, "v1", "v1alpha1")


def issuers(core: Expander, group: str) -> Schema:
    """In the shape of cert-manager's: pods deep below lists."""

    def below(schema: Schema, *names: str) -> Schema:
        for name in reversed(names):
            schema = {"type": "object", "properties": {name: schema}}
        return schema

    ways = {way: below(core.type("PodSpec"), "podTemplate", "spec") for way in ("ingress", "gatewayHTTPRoute")}
    solvers = {"type": "array", "items": below({"type": "object", "properties": ways}, "http01")}
    return definition(group, "issuers", "Issuer", below(solvers, "acme", "solvers"), "v1")


def definition(group: str, plural: str, kind: str, spec: Schema, *versions: str) -> Schema:
    properties = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
    schema = {"type": "object", "properties": {**properties, "spec": spec, "status": {"type": "object"}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
            "versions": [
                {
                    "name": name,
                    "served": True,
                    "storage": name == versions[0],
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": schema},
                }
                for name in versions
            ],
        },
    }
