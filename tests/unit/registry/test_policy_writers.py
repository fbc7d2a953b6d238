"""What writing policies, bindings and webhook configurations demands of the writer and of the expressions."""

from __future__ import annotations

from typing import Any

import pytest

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.types import admissionregistration_v1 as admission
from steersman.api.types.meta_v1 import LabelSelector, ObjectMeta
from steersman.api.user import User
from steersman.apiserver.registry.registry import Registry
from steersman.apiserver.seams import Attributes, Decision
from steersman.client.local import LocalClient

JANE = User("jane", ("dev", "system:authenticated"), extra={"a": ["b", "c"]})
SHOWN = "&{jane  [dev system:authenticated] map[a:[b c]]}"
META = ObjectMeta(name="p")
RULE = admission.NamedRuleWithOperations(operations=["*"], api_groups=[""], api_versions=["v1"], resources=["pods"])
CONFIG_MAPS = admission.ParamKind(api_version="v1", kind="ConfigMap")


class _Rights:
    """May do what is said; remembers the questions."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.allowed = False

    async def authorize(self, wanted: Attributes) -> Decision:
        self.asked.append((wanted.verb, wanted.group, wanted.version, wanted.resource, wanted.namespace, wanted.name))
        return Decision(self.allowed)


@pytest.fixture
def rights(registry: Registry) -> _Rights:
    rights = _Rights()
    registry.surroundings.authorizer = rights  # type: ignore[assignment]
    return rights


@pytest.fixture
def jane(registry: Registry) -> LocalClient:
    return LocalClient(registry, JANE)


def _policy(**spec: Any) -> admission.ValidatingAdmissionPolicy:
    match = admission.MatchResources(resource_rules=[RULE])
    spec.setdefault("validations", [admission.Validation(expression="true")])
    return admission.ValidatingAdmissionPolicy(
        metadata=META, spec=admission.ValidatingAdmissionPolicySpec(match_constraints=match, **spec)
    )


def _binding(**reference: Any) -> admission.ValidatingAdmissionPolicyBinding:
    param = admission.ParamRef(parameter_not_found_action="Deny", **reference)
    return admission.ValidatingAdmissionPolicyBinding(
        metadata=META,
        spec=admission.ValidatingAdmissionPolicyBindingSpec(
            policy_name="p", validation_actions=["Deny"], param_ref=param
        ),
    )


async def _refusal(write: Any) -> str:
    with pytest.raises(StatusError) as refused:
        await write
    return str(refused.value)


async def test_who_names_a_kind_of_parameters_may_read_them_all(
    client: LocalClient, jane: LocalClient, rights: _Rights
) -> None:
    assert await _refusal(jane.create(_policy(param_kind=CONFIG_MAPS))) == (
        'ValidatingAdmissionPolicy.admissionregistration.k8s.io "p" is invalid: spec.paramKind: Forbidden: '
        f'user {SHOWN} must have "get" permission on all objects of the referenced paramKind '
        "(kind=ConfigMap, apiVersion=v1)"
    )
    assert rights.asked == [("get", "", "v1", "configmaps", "*", "*")]
    unknown = admission.ParamKind(api_version="x.io/v1", kind="Unknown")
    await _refusal(jane.create(_policy(param_kind=unknown)))
    assert rights.asked[1:] == [("get", "x.io", "v1", "*", "*", "*")]
    made = codecs.copy(await client.create(_policy(param_kind=CONFIG_MAPS)))  # of system:masters nothing is asked
    made.spec.validations[0].expression = "1 == 1"
    await jane.update(made)
    assert len(rights.asked) == 2
    await _refusal(jane.create(_policy(param_kind=CONFIG_MAPS, validations=[])))
    assert len(rights.asked) == 2  # what is malformed is refused for that


@pytest.mark.parametrize(
    ("policy", "reference", "asked", "message"),
    [
        (CONFIG_MAPS, {"name": "a", "namespace": "n"}, ("get", "", "v1", "configmaps", "n", "a"),
         f'user {SHOWN} does not have "get" permission on the object referenced by paramRef'),
        (CONFIG_MAPS, {"selector": LabelSelector()}, ("list", "", "v1", "configmaps", "", ""),
         f'user {SHOWN} does not have "list" permission on the object referenced by paramRef'),
        (None, {"name": "a"}, ("get", "*", "*", "*", "", "a"),
         f'user {SHOWN} does not have "get" permission on the object referenced by paramRef'),
        (admission.ParamKind(api_version="x.io/v1", kind="Odd"), {"name": "a"}, ("get", "x.io", "v1", "*", "", "a"),
         "unable to resolve paramKind &{x.io/v1 Odd} to determine minimum required permissions and "
         f'user {SHOWN} does not have "get" permission for all groups, versions and resources'),
        ("absent", {"name": "a"}, ("get", "*", "*", "*", "", "a"),
         "unable to get policy p to determine minimum required permissions and "
         f'user {SHOWN} does not have "get" permission for all groups, versions and resources'),
    ],
)  # fmt: skip
async def test_who_names_parameters_may_read_them(
    client: LocalClient, jane: LocalClient, rights: _Rights, policy: Any, reference: Any, asked: Any, message: str
) -> None:
    if policy != "absent":
        await client.create(_policy(param_kind=policy))
    told = await _refusal(jane.create(_binding(**reference)))
    assert told.endswith(f": spec.paramRef: Forbidden: {message}")
    assert rights.asked == [asked]
    rights.allowed = True
    made = codecs.copy(await jane.create(_binding(**reference)))
    rights.allowed = False
    made.spec.validation_actions = ["Warn"]
    await jane.update(made)
    assert len(rights.asked) == 2


async def test_faults_are_told_in_the_order_of_the_object(client: LocalClient) -> None:
    policy = _policy(
        failure_policy="Odd",
        match_conditions=[
            admission.MatchCondition(name="", expression="  object.x + "),
            admission.MatchCondition(name="b", expression=" "),
            admission.MatchCondition(name="c", expression="params.a"),
        ],
        variables=[admission.Variable(name="1", expression="nobody")],
        validations=[
            admission.Validation(expression="1 + 1", message_expression="1", message=" ", reason="Odd"),
            admission.Validation(expression=""),
        ],
        audit_annotations=[admission.AuditAnnotation(key="a b", value_expression="1")],
    )
    with pytest.raises(StatusError) as refused:
        await client.create(policy)
    details = refused.value.status.details
    assert details is not None
    assert [cause.field for cause in details.causes] == [
        "spec.failurePolicy",
        "spec.matchConditions[0].expression",
        "spec.matchConditions[0].name",
        "spec.matchConditions[1].expression",
        "spec.matchConditions[2].expression",
        "spec.variables[0].name",
        "spec.variables[0].expression",
        "spec.validations[0].expression",
        "spec.validations[0].messageExpression",
        "spec.validations[0].message",
        "spec.validations[0].reason",
        "spec.validations[1].expression",
        "spec.auditAnnotations[0].key",
        "spec.auditAnnotations[0].valueExpression",
    ]


async def test_conditions_of_webhooks_are_told_where_they_stand(client: LocalClient) -> None:
    def hook(**fields: Any) -> admission.ValidatingWebhook:
        made = admission.ValidatingWebhook(
            name="a.example.com",
            client_config=admission.WebhookClientConfig(url="https://a.example.com"),
            side_effects="None",
            admission_review_versions=["v1"],
        )
        for name, value in fields.items():
            setattr(made, name, value)
        return made

    broken = [admission.MatchCondition(name="a", expression=" 1 ")]
    hooks = [hook(match_conditions=broken, timeout_seconds=40, admission_review_versions=[]), hook(name="b")]
    with pytest.raises(StatusError) as refused:
        await client.create(admission.ValidatingWebhookConfiguration(metadata=META, webhooks=hooks))
    details = refused.value.status.details
    assert details is not None
    assert [(cause.field, cause.message) for cause in details.causes][:3] == [
        ("webhooks[0].timeoutSeconds", "Invalid value: 40: the timeout value must be between 1 and 30 seconds"),
        ("webhooks[0].matchConditions[0].expression", 'Invalid value: "1": must evaluate to bool but got int'),
        ("webhooks[0].admissionReviewVersions", "Required value: must specify one of v1, v1beta1"),
    ]
