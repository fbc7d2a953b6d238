"""A definition whose defaults its own schema does not allow is refused, new or changed."""

from __future__ import annotations

from typing import Any

import pytest

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.types.apiextensions_v1 import CustomResourceDefinition
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
