"""Validation rules of custom resources on a real API server."""

from typing import Any

from .api import MERGE, Api
from .test_custom_resources import definition, group, install, path, version, widget

__all__ = ("group",)

TOO_FEW = "'no less than %d'.format([self.least])"  # an estimate takes string() for unbounded
RULES = [
    {"rule": "self.least <= self.size", "messageExpression": TOO_FEW, "fieldPath": ".size"},
    {"rule": "self.size >= oldSelf.size", "message": "may not shrink", "reason": "FieldValueForbidden"},
]


def ruled(rules: list[dict[str, Any]]) -> dict[str, Any]:
    numbers = {"size": {"type": "integer"}, "least": {"type": "integer", "default": 1}}
    spec = {"type": "object", "properties": numbers, "x-kubernetes-validations": rules}
    return version(schema={"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}})


def causes(answer: Any) -> list[tuple[str, str, str]]:
    found = answer.body["details"]["causes"]
    return [(cause["reason"], cause["field"], cause["message"]) for cause in found]


def test_objects_that_break_rules_are_refused(api: Api, group: str, namespace: str) -> None:
    install(api, definition(group, ruled(RULES)))
    everything = path(group, namespace)
    assert api.request("POST", everything, widget(group, size=3)).code == 201
    refused = api.request("POST", everything, widget(group, "b", size=0))
    assert refused.code == 422
    assert causes(refused) == [("FieldValueInvalid", "spec.size", "Invalid value: no less than 1")]
    one = path(group, namespace, "a")
    refused = api.request("PATCH", one, {"spec": {"size": 2}}, MERGE)
    assert causes(refused) == [("FieldValueForbidden", "spec", "Forbidden: may not shrink")]
    assert api.request("PATCH", one, {"spec": {"size": 4}}, MERGE).body["spec"]["size"] == 4


def test_rules_that_do_not_compile_are_refused(api: Api, group: str) -> None:
    refused = api.request(
        "POST",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        definition(group, ruled([{"rule": "self.nope"}])),
    )
    assert refused.code == 422
    ((reason, field, message),) = causes(refused)
    place = "spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule"
    assert (reason, field) == ("FieldValueInvalid", place)
    assert "undefined field 'nope'" in message
