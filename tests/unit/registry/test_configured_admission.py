"""What people configure admission with, and the server's own objects."""

from __future__ import annotations

import pytest

from steersman.api.errors import StatusError
from steersman.api.types import admissionregistration_v1 as admission
from steersman.api.types import authentication_v1, discovery_v1
from steersman.api.types import core_v1 as v1
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.apiserver.admission.plugin import Cluster, Plugin, Request
from steersman.apiserver.extensions.plugins import configured_plugins
from steersman.apiserver.extensions.webhook_client import WebhookClient
from steersman.apiserver.registry.bootstrap import essentials
from steersman.apiserver.registry.registry import Registry
from steersman.client.local import LocalClient


async def test_a_policy_that_refuses_everything_does_not_keep_a_server_from_what_it_needs(
    client: LocalClient, registry: Registry
) -> None:
    registry.admission.add(*configured_plugins(registry, WebhookClient(registry)))
    everything = admission.NamedRuleWithOperations(
        operations=["*"], api_groups=["*"], api_versions=["*"], resources=["*"]
    )
    policy = admission.ValidatingAdmissionPolicySpec(
        match_constraints=admission.MatchResources(resource_rules=[everything]),
        validations=[admission.Validation(expression="false")],
    )
    binding = admission.ValidatingAdmissionPolicyBindingSpec(policy_name="never", validation_actions=["Deny"])
    meta = ObjectMeta(name="never")
    await client.create(admission.ValidatingAdmissionPolicy(metadata=meta, spec=policy))
    await client.create(admission.ValidatingAdmissionPolicyBinding(metadata=meta, spec=binding))
    with pytest.raises(StatusError, match="failed expression: false"):
        await client.delete(discovery_v1.EndpointSlice, "kubernetes", "default")
    handler = registry.handler_of(discovery_v1.EndpointSlice)
    await client.delete(admission.ValidatingAdmissionPolicyBinding, "never")
    await client.delete(discovery_v1.EndpointSlice, "kubernetes", "default")
    await client.create(admission.ValidatingAdmissionPolicyBinding(metadata=meta, spec=binding))
    await essentials(registry)
    assert (await handler.get("default", "kubernetes")).object.endpoints[0].addresses == ["192.0.2.1"]
    with pytest.raises(StatusError, match="failed expression: false"):
        await client.create(v1.Namespace(metadata=ObjectMeta(name="a")))


async def test_what_is_not_stored_is_admitted_too(client: LocalClient, registry: Registry) -> None:
    asked: list[tuple[str, str]] = []

    class Witness(Plugin):
        name = "Witness"

        async def validate(self, request: Request, cluster: Cluster) -> None:
            asked.append((request.resource.name, request.namespace))
            if request.resource.name == "bindings":
                raise request.refuse("never")

    registry.admission.add(Witness())
    await client.create(authentication_v1.SelfSubjectReview())
    binding = v1.Binding(metadata=ObjectMeta(name="p", namespace="default"), target=v1.ObjectReference(name="n"))
    with pytest.raises(StatusError, match='bindings "p" is forbidden: never'):
        await client.create(binding)
    assert asked == [("selfsubjectreviews", ""), ("bindings", "default")]
