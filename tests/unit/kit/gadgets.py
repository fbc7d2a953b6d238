"""A custom resource, as its definition and as a type."""

from typing import Any

from msgspec import field

from steersman.client import APIStruct, Condition, CustomObject

DEFINITION: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "gadgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "gadgets", "singular": "gadget", "kind": "Gadget", "shortNames": ["gt"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "size": {"type": "integer", "minimum": 0},
                                    "partNames": {"type": "array", "items": {"type": "string"}},
                                    "color": {"type": "string", "default": "blue"},
                                },
                            },
                            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                        },
                    }
                },
            }
        ],
    },
}


class GadgetSpec(APIStruct):
    size: int | None = None
    part_names: list[str] = field(default_factory=list)
    color: str = ""


class GadgetStatus(APIStruct):
    seen: int = 0
    conditions: list[Condition] = field(default_factory=list)


class Gadget(CustomObject):
    API_VERSION = "example.com/v1"
    PLURAL = "gadgets"

    spec: GadgetSpec = field(default_factory=GadgetSpec)
    status: GadgetStatus = field(default_factory=GadgetStatus)
