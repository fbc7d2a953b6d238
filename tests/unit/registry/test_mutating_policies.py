"""Mutating admission policies (KEP-3962) in front of a registry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.types import admissionregistration_v1beta1 as admission
from steersman.api.types import core_v1 as v1
from steersman.api.types.meta_v1 import LabelSelector, ObjectMeta
from steersman.apiserver.extensions.plugins import configured_plugins
from steersman.apiserver.extensions.webhook_client import WebhookClient
from steersman.apiserver.registry.registry import Registry
from steersman.client.client import Patch
from steersman.client.local import LocalClient

from .conftest import config_map, pod

Bind = Callable[..., Awaitable[None]]


@pytest.fixture
def bind(client: LocalClient, registry: Registry) -> Bind:
    """Make a policy and bind it; ``mutations`` are ``apply: …`` or ``patch: …``."""
    registry.admission.add(*configured_plugins(registry, WebhookClient(registry), mutating_policies=True))

    async def bind(name: str, *mutations: str, resource: str = "pods", **fields: Any) -> None:
        everything = admission.NamedRuleWithOperations(
            operations=["*"], api_groups=["*"], api_versions=["*"], resources=[resource]
        )
        match = admission.MatchResources(resource_rules=[everything])
        reference = fields.pop("param_ref", None)
        spec = admission.MutatingAdmissionPolicySpec(
            match_constraints=match, mutations=[_mutation(each) for each in mutations],
            reinvocation_policy=fields.pop("reinvocation_policy", "Never"), **fields
        )  # fmt: skip
        meta = ObjectMeta(name=name)
        await client.create(admission.MutatingAdmissionPolicy(metadata=meta, spec=spec))
        bound = admission.MutatingAdmissionPolicyBindingSpec(policy_name=name, param_ref=reference)
        await client.create(admission.MutatingAdmissionPolicyBinding(metadata=meta, spec=bound))

    return bind


def _mutation(text: str) -> admission.Mutation:
    form, _, expression = text.partition(": ")
    if form == "apply":
        configuration = admission.ApplyConfiguration(expression=expression)
        return admission.Mutation(patch_type="ApplyConfiguration", apply_configuration=configuration)
    return admission.Mutation(patch_type="JSONPatch", json_patch=admission.JSONPatch(expression=expression))


async def test_apply_configurations_merge_as_server_side_apply_does(client: LocalClient, bind: Bind) -> None:
    await bind(
        "sidecar",
        """apply: Object{
             metadata: Object.metadata{labels: {"team": "a"}},
             spec: Object.spec{
               initContainers: [Object.spec.initContainers{name: "mesh", image: "mesh:1", restartPolicy: "Always"}],
               containers: [Object.spec.containers{
                 name: "c", env: [Object.spec.containers.env{name: "A", value: "1"}]
               }],
               terminationGracePeriodSeconds: 5
             }
           }""",
    )
    created = await client.create(pod())
    assert created.metadata.labels == {"team": "a"}
    assert [each.name for each in created.spec.init_containers] == ["mesh"]
    [container] = created.spec.containers
    assert (container.image, container.env[0].value) == ("busybox:1.36", "1")
    assert created.spec.termination_grace_period_seconds == 5
    assert created.spec.init_containers[0].termination_message_path == "/dev/termination-log"  # defaults are filled in
    assert created.metadata.uid
    assert created.metadata.name == "p"


@pytest.mark.parametrize(
    ("mutation", "found"),
    [
        ('patch: [JSONPatch{op: "add", path: "/data/b", value: "2"}]', {"a": "1", "b": "2"}),
        ('patch: [JSONPatch{op: "replace", path: "/data", value: {"x": "y"}}]', {"x": "y"}),
        ('patch: [JSONPatch{op: "move", from: "/data/a", path: "/data/b"}]', {"b": "1"}),
        (
            'patch: [JSONPatch{op: "test", path: "/data/a", value: "2"}, JSONPatch{op: "remove", path: "/data/a"}]',
            {"a": "1"},
        ),
        (
            'patch: [JSONPatch{op: "add", path: "/metadata/labels", value: {}}, JSONPatch{op: "add", '
            'path: "/metadata/labels/" + jsonpatch.escapeKey("x.io/a"), value: "2"}]',
            {"a": "1", "x.io/a": "2"},
        ),
        ('patch: object.data.a == "1" ? [JSONPatch{op: "remove", path: "/data/a"}] : []', {}),
        ('patch: [JSONPatch{op: "add", path: "/data", value: Object.data{c: "3"}}]', {"c": "3"}),
        ('apply: Object{data: {"b": object.data.a}}', {"a": "1", "b": "1"}),
        ('apply: Object{data: Object.data{b: string(variables.n)}}', {"a": "1", "b": "7"}),
        ('apply: Object{?data: has(object.data) ? optional.none() : optional.none()}', {"a": "1"}),
    ],
)  # fmt: skip
async def test_mutations(client: LocalClient, bind: Bind, mutation: str, found: dict[str, str]) -> None:
    await bind("p", mutation, resource="configmaps", variables=[admission.Variable(name="n", expression="3 + 4")])
    created = await client.create(config_map(a="1"))
    assert {**created.data, **created.metadata.labels} == found


_BY = "policy 'p' with binding 'p' denied request: "


@pytest.mark.parametrize(
    ("mutation", "message"),
    [
        ('apply: Object{data: {"b": object.data.missing}}', "no such key: missing"),
        ('apply: Object{spec: Object.wrong{}}', 'unexpected type name "Object.wrong", expected "Object.spec"'),
        ('apply: Object{nonsense: "a"}', ".nonsense: field not declared in schema"),
        ('apply: Object{data: {"b": 1}}', "error applying patch: failed to convert patch object to typed object"),
        ('patch: [JSONPatch{op: "remove", path: "/data/x"}]', "unable to remove nonexistent key: x"),
        ('patch: [JSONPatch{op: "jump", path: "/data/x"}]', "Unexpected kind: jump"),
    ],
)  # fmt: skip
async def test_mutations_that_fail(client: LocalClient, bind: Bind, mutation: str, message: str) -> None:
    await bind("p", mutation, resource="configmaps")
    with pytest.raises(StatusError) as refused:
        await client.create(config_map(a="1"))
    assert str(refused.value).startswith(_BY)
    assert message in str(refused.value)
    await client.delete(admission.MutatingAdmissionPolicyBinding, "p")
    await bind("q", mutation, resource="configmaps", failure_policy="Ignore")
    assert (await client.create(config_map(a="1"))).data == {"a": "1"}


async def test_lists_that_are_replaced_whole_may_not_be_spoken_of(client: LocalClient, bind: Bind) -> None:
    await bind("p", 'apply: Object{spec: Object.spec{containers: [Object.spec.containers{name: "c", args: ["x"]}]}}')
    with pytest.raises(StatusError, match=r"may not mutate atomic arrays, maps or structs: \.spec\.containers\[0\]"):
        await client.create(pod())


async def test_what_identifies_an_object_stays(client: LocalClient, bind: Bind) -> None:
    made = codecs.copy(await client.create(config_map(a="1")))
    await bind("p", 'patch: [JSONPatch{op: "replace", path: "/metadata/name", value: "x"}]', resource="configmaps")
    made.data["a"] = "2"
    with pytest.raises(StatusError, match=r"metadata\.name|the name of the object"):
        await client.update(made)


async def test_conditions_parameters_and_order(client: LocalClient, bind: Bind) -> None:
    await client.create(config_map("team", color="red"))
    reference = admission.ParamRef(name="team", namespace="default", parameter_not_found_action="Deny")
    await bind(
        "b",
        "apply: Object{metadata: Object.metadata{labels: "
        '{"team": params.data.color, "seen": object.metadata.labels.a}}}',
        param_kind=admission.ParamKind(api_version="v1", kind="ConfigMap"),
        param_ref=reference,
    )
    await bind("a", 'apply: Object{metadata: Object.metadata{labels: {"a": "1"}}}')
    await bind(
        "c",
        'apply: Object{metadata: Object.metadata{labels: {"c": "1"}}}',
        match_conditions=[admission.MatchCondition(name="no", expression="!has(object.metadata.labels)")],
    )
    created = await client.create(pod())
    assert created.metadata.labels == {"a": "1", "team": "red", "seen": "1"}


async def test_who_wants_to_is_asked_again(client: LocalClient, bind: Bind) -> None:
    count = (
        'apply: Object{metadata: Object.metadata{annotations: {"%s": '
        'has(object.metadata.annotations) && "%s" in object.metadata.annotations ? '
        'object.metadata.annotations["%s"] + "x" : "x"}}}'
    )
    await bind("a", count % (("a",) * 3), reinvocation_policy="IfNeeded")
    await bind("b", count % (("b",) * 3), reinvocation_policy="IfNeeded")
    await bind("c", count % (("c",) * 3))
    created = await client.create(pod())
    found = {name: value for name, value in created.metadata.annotations.items() if len(name) == 1}
    assert found == {"a": "xx", "b": "xx", "c": "x"}


async def test_policies_select_what_they_see(client: LocalClient, bind: Bind) -> None:
    await bind("a", 'apply: Object{metadata: Object.metadata{labels: {"a": "1"}}}', resource="configmaps")
    policy = codecs.copy(await client.get(admission.MutatingAdmissionPolicy, "a"))
    assert policy.spec.match_constraints is not None
    policy.spec.match_constraints.object_selector = LabelSelector(match_labels={"mutate": "yes"})
    await client.update(policy)
    wanted = config_map("b")
    wanted.metadata.labels = {"mutate": "yes"}
    assert (await client.create(config_map())).metadata.labels == {}
    assert (await client.create(wanted)).metadata.labels == {"mutate": "yes", "a": "1"}
    labels = Patch("application/merge-patch+json", b'{"metadata":{"labels":{"mutate":"yes"}}}')
    assert (await client.patch(v1.ConfigMap, "cm", labels, "default")).metadata.labels == {"mutate": "yes", "a": "1"}


async def test_expressions_that_do_not_compile_are_refused(client: LocalClient, bind: Bind) -> None:
    with pytest.raises(StatusError) as refused:
        await bind("p", "apply: 1 + 1", "patch: Object{}", "patch: [1]", "apply: Object{")
    causes = refused.value.status.details.causes if refused.value.status.details is not None else []
    assert [cause.field for cause in causes] == [
        "spec.mutations[0].applyConfiguration.expression",
        "spec.mutations[1].jsonPatch.expression",
        "spec.mutations[2].jsonPatch.expression",
        "spec.mutations[3].applyConfiguration.expression",
    ]
    assert causes[0].message.endswith("must evaluate to Object but got int")
