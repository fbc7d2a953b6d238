"""What the status of validating admission policies tells of their expressions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from steersman.api import codecs
from steersman.api.types import admissionregistration_v1 as admission
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.apiserver.extensions import policies
from steersman.apiserver.extensions.policies.status import PolicyStatus
from steersman.apiserver.registry.registry import Registry
from steersman.client.local import LocalClient


@pytest.fixture(autouse=True)
async def controller(registry: Registry) -> AsyncIterator[None]:
    task = asyncio.create_task(PolicyStatus(registry).run())
    yield
    task.cancel()
    await asyncio.wait([task])


def _rule(group: str, *resources: str, version: str = "v1") -> admission.NamedRuleWithOperations:
    return admission.NamedRuleWithOperations(
        operations=["*"], api_groups=[group], api_versions=[version], resources=list(resources)
    )


async def _status(client: LocalClient, registry: Registry, *expressions: str, **spec: Any) -> Any:
    rules = spec.pop("rules", [_rule("apps", "deployments")])
    validations = spec.pop("validations", [admission.Validation(expression=each) for each in expressions])
    policy = admission.ValidatingAdmissionPolicy(
        metadata=ObjectMeta(name="p"),
        spec=admission.ValidatingAdmissionPolicySpec(
            match_constraints=admission.MatchResources(resource_rules=rules), validations=validations, **spec
        ),
    )
    return await _observed(client, registry, await client.create(policy))


async def _observed(client: LocalClient, registry: Registry, policy: admission.ValidatingAdmissionPolicy) -> Any:
    handler = registry.handler_of(admission.ValidatingAdmissionPolicy)
    async with asyncio.timeout(5):
        while policy.status.observed_generation != policy.metadata.generation:
            changed = asyncio.Event()
            subscription = handler.cache.subscribe(
                handler.resource.key(), int(policy.metadata.resource_version), lambda _, c=changed: c.set()
            )
            await changed.wait()
            subscription.cancel()
            policy = await client.get(admission.ValidatingAdmissionPolicy, "p")
    return policy.status


async def test_what_is_well_is_observed(client: LocalClient, registry: Registry) -> None:
    status = await _status(
        client,
        registry,
        "object.spec.replicas < 5 && object.spec.template.spec.containers.all(c, c.image.startsWith('a'))",
        "oldObject == null || oldObject.metadata.labels['a'] == 'b' || has(object.metadata.deletionTimestamp)",
        "quantity(object.spec.template.spec.containers[0].resources.limits['cpu']).isGreaterThan(quantity('1'))",
        "object.spec.strategy.rollingUpdate.maxSurge == '25%' || object.spec.strategy.rollingUpdate.maxSurge == 1",
        "object.metadata.creationTimestamp < timestamp('2026-01-01T00:00:00Z')",
        "request.operation == 'CREATE' && authorizer.path('/a').check('get').allowed()",
    )
    assert status.type_checking is not None
    assert status.type_checking.expression_warnings == []
    assert status.observed_generation == 1
    policy = await client.get(admission.ValidatingAdmissionPolicy, "p")
    [entry] = [each for each in policy.metadata.managed_fields if each.subresource == "status"]
    assert (entry.manager, entry.operation) == ("validatingadmissionpolicy-status-controller", "Apply")


async def test_what_is_not_is_told_for_each_kind(client: LocalClient, registry: Registry) -> None:
    status = await _status(
        client,
        registry,
        validations=[
            admission.Validation(expression="object.replicas > 1"),
            admission.Validation(
                expression="object.spec.replicas > 1", message_expression="string(object.spec.nothing)"
            ),
        ],
        rules=[_rule("apps", "replicasets", "deployments", "deployments/scale", "*/status"), _rule("*", "pods")],
    )
    told = [(each.field_ref, each.warning) for each in status.type_checking.expression_warnings]
    assert told == [
        (
            "spec.validations[0].expression",
            "apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'replicas'\n"
            " | object.replicas > 1\n | ......^\n\n"
            "apps/v1, Kind=ReplicaSet: ERROR: <input>:1:7: undefined field 'replicas'\n"
            " | object.replicas > 1\n | ......^\n",
        ),
        (
            "spec.validations[1].messageExpression",
            "apps/v1, Kind=Deployment: ERROR: <input>:1:19: undefined field 'nothing'\n"
            " | string(object.spec.nothing)\n | ..................^\n\n"
            "apps/v1, Kind=ReplicaSet: ERROR: <input>:1:19: undefined field 'nothing'\n"
            " | string(object.spec.nothing)\n | ..................^\n",
        ),
    ]


async def test_parameters_and_variables_have_types(client: LocalClient, registry: Registry) -> None:
    status = await _status(
        client,
        registry,
        "variables.image == params.data.image",
        "variables.image > 5",
        "params.spec.x == 1",
        param_kind=admission.ParamKind(api_version="v1", kind="ConfigMap"),
        variables=[
            admission.Variable(name="containers", expression="object.spec.template.spec.containers"),
            admission.Variable(name="image", expression="variables.containers[0].image"),
        ],
    )
    told = {each.field_ref: each.warning for each in status.type_checking.expression_warnings}
    assert list(told) == ["spec.validations[1].expression", "spec.validations[2].expression"]
    assert "found no matching overload for '_>_' applied to '(string, int)'" in told["spec.validations[1].expression"]
    assert "undefined field 'spec'" in told["spec.validations[2].expression"]


async def test_every_generation_is_looked_at(client: LocalClient, registry: Registry) -> None:
    await _status(client, registry, "object.spec.nothing == 1")
    policy = codecs.copy(await client.get(admission.ValidatingAdmissionPolicy, "p"))
    policy.spec.validations[0].expression = "object.spec.paused == true"
    status = await _observed(client, registry, await client.update(policy))
    assert (status.observed_generation, status.type_checking) == (2, None)


async def test_a_policy_that_cannot_be_looked_at_keeps_no_other_from_it(
    client: LocalClient, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = policies.status._checked

    def faulty(spec: admission.ValidatingAdmissionPolicySpec, scheme: Any) -> Any:
        if not spec.validations:
            raise LookupError("a fault of ours")
        return looked_at(spec, scheme)

    monkeypatch.setattr(policies.status, "_checked", faulty)
    made = admission.ValidatingAdmissionPolicy(
        metadata=ObjectMeta(name="faulty"),
        spec=admission.ValidatingAdmissionPolicySpec(
            match_constraints=admission.MatchResources(resource_rules=[_rule("apps", "deployments")]),
            audit_annotations=[admission.AuditAnnotation(key="a", value_expression="'b'")],
        ),
    )
    await client.create(made)
    assert (await _status(client, registry, "true")).observed_generation == 1
