"""A definition whose defaults its own schema does not allow is refused, new or changed."""

from __future__ import annotations

from typing import Any

import pytest

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.types.apiextensions_v1 import CustomResourceDefinition, ValidationRule
from steersman.client.local import LocalClient


def definition(default: Any) -> CustomResourceDefinition:
    schema = {"type": "object", "properties": {"a": {"type": "integer", "default": default}}}
    found: CustomResourceDefinition = codecs.from_builtins(
        CustomResourceDefinition,
        {
            "metadata": {"name": "widgets.example.com"},
            "spec": {
                "group": "example.com",
                "scope": "Namespaced",
                "names": {"plural": "widgets", "kind": "Widget"},
                "versions": [
                    {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}},
                ],
            },
        },
    )
    return found


async def test_defaults_fit_their_schema(client: LocalClient) -> None:
    with pytest.raises(StatusError) as refused:
        await client.create(definition("x"))
    assert refused.value.code == 422
    assert [cause.field for cause in refused.value.status.details.causes] == [
        "spec.validation.openAPIV3Schema.properties[a].default"
    ]
    created = codecs.copy(await client.create(definition(1)))
    created.spec.versions[0].schema.open_apiv3_schema.properties["a"].default = "x"
    with pytest.raises(StatusError, match="in body must be of type integer"):
        await client.update(created)


@pytest.mark.parametrize(
    ("rules", "default", "told"),
    [
        ([{"rule": "self > 5"}], 7, ""),
        ([{"rule": "self > 5", "message": "too few"}], 3, "Invalid value: 3: too few"),
        ([{"rule": "self > oldSelf"}], 3, "Invalid value: 3: failed rule: self > oldSelf"),
        ([{"rule": "self > 5", "reason": "FieldValueForbidden"}], 3, "Forbidden: failed rule: self > 5"),
        ([{"rule": "1 / (self - 3) > 0"}], 3,
         'Invalid value: "integer": division by zero evaluating rule: 1 / (self - 3) > 0'),
    ],
)  # fmt: skip
async def test_defaults_keep_the_rules(client: LocalClient, rules: Any, default: int, told: str) -> None:
    made = definition(default)
    schema = made.spec.versions[0].schema
    assert schema is not None
    member = schema.open_apiv3_schema.properties["a"]
    member.x_kubernetes_validations = [codecs.from_builtins(ValidationRule, rule) for rule in rules]
    if not told:
        await client.create(made)
        return
    with pytest.raises(StatusError) as refused:
        await client.create(made)
    details = refused.value.status.details
    assert details is not None
    assert [(cause.field, cause.message) for cause in details.causes] == [
        ("spec.validation.openAPIV3Schema.properties[a].default", told)
    ]
