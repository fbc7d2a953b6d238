"""A definition whose validation rules do not compile, or cost too much, is refused; what was accepted stays so."""

from __future__ import annotations

from typing import Any

import pytest

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.types.apiextensions_v1 import CustomResourceDefinition
from steersman.client.local import LocalClient


def definition(*rules: str, versions: int = 1) -> CustomResourceDefinition:
    numbers = {"type": "array", "items": {"type": "integer"}}

    def version(number: int) -> dict[str, Any]:
        given = [{"rule": rule} for rule in (rules if number == 1 else ())]
        schema = {"type": "object", "properties": {"a": numbers}, "x-kubernetes-validations": given}
        return {"name": f"v{number}", "served": True, "storage": number == 1, "schema": {"openAPIV3Schema": schema}}

    found: CustomResourceDefinition = codecs.from_builtins(
        CustomResourceDefinition,
        {
            "metadata": {"name": "widgets.example.com"},
            "spec": {
                "group": "example.com",
                "scope": "Namespaced",
                "names": {"plural": "widgets", "kind": "Widget"},
                "versions": [version(number + 1) for number in range(versions)],
            },
        },
    )
    return found


@pytest.mark.parametrize(
    ("rule", "versions", "field"),
    [
        ("self.nope == 1", 1, "spec.validation.openAPIV3Schema.x-kubernetes-validations[0].rule"),
        ("self.nope == 1", 2, "spec.versions[0].schema.openAPIV3Schema.x-kubernetes-validations[0].rule"),
        (
            "self.a.all(x, self.a.all(y, x == y))",
            1,
            "spec.validation.openAPIV3Schema.x-kubernetes-validations[0].rule",
        ),
    ],
)
async def test_rules_are_checked(client: LocalClient, rule: str, versions: int, field: str) -> None:
    with pytest.raises(StatusError) as refused:
        await client.create(definition(rule, versions=versions))
    assert refused.value.code == 422
    assert refused.value.status.details is not None
    assert refused.value.status.details.causes[0].field == field


async def test_rules_that_are_new_are_checked(client: LocalClient) -> None:
    created = codecs.copy(await client.create(definition("self.metadata.name != 'b'")))
    created.spec.names.short_names = ["w"]
    changed = codecs.copy(await client.update(created))
    changed.spec.versions[0].schema.open_apiv3_schema.x_kubernetes_validations[0].rule = "self.nope"
    with pytest.raises(StatusError, match="undefined field 'nope'"):
        await client.update(changed)
