import msgspec
import pytest

from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.types.rbac_v1 import ClusterRole, PolicyRule, Role, RoleBinding, RoleRef, Subject
from steersman.api.user import User
from steersman.apiserver.authz import bootstrap_policy
from steersman.apiserver.authz.policy import Policy, allows
from steersman.apiserver.authz.rules import rule, urls
from steersman.apiserver.seams import Attributes

ANNE = User("anne", ("system:authenticated", "writers"))


def wants(verb: str, resource: str, **more: str) -> Attributes:
    return Attributes(user=ANNE, verb=verb, resource=resource, **more)


@pytest.mark.parametrize(
    ("granted", "attributes", "expected"),
    [
        (rule("get", "", "pods"), wants("get", "pods"), True),
        (rule("get", "", "pods"), wants("list", "pods"), False),
        (rule("get", "", "pods"), wants("get", "pods", group="apps"), False),
        (rule("get", "", "pods"), wants("get", "pods", subresource="log"), False),
        (rule("get", "", "pods/log"), wants("get", "pods", subresource="log"), True),
        (rule("get", "*", "*/scale"), wants("get", "deployments", group="apps", subresource="scale"), True),
        (rule("*", "*", "*"), wants("escalate", "anything", group="x", subresource="y"), True),
        (rule("get", "", "secrets", "one"), wants("get", "secrets", name="one"), True),
        (rule("get", "", "secrets", "one"), wants("list", "secrets"), False),
        (rule("get", "", "secrets", "one"), wants("get", "secrets", name="two"), False),
        (urls("/healthz /apis/*"), wants("get", "", path="/apis/apps/v1"), True),
        (urls("/healthz /apis/*"), wants("get", "", path="/healthz/ping"), False),
        (rule("*", "*", "*"), wants("get", "", path="/healthz"), False),
    ],
)
def test_rules(granted: PolicyRule, attributes: Attributes, expected: bool) -> None:
    assert allows(granted, attributes) is expected


def binding(name: str, role: str, *subjects: Subject, kind: str = "Role") -> RoleBinding:
    return RoleBinding(
        metadata=ObjectMeta(name=name, namespace="ns"),
        role_ref=RoleRef(api_group="rbac.authorization.k8s.io", kind=kind, name=role),
        subjects=list(subjects),
    )


def test_a_binding_grants_in_its_namespace_alone_and_until_it_goes() -> None:
    policy = Policy()
    policy.set_role(Role(metadata=ObjectMeta(name="reader", namespace="ns"), rules=[rule("get", "", "pods")]))
    bound = binding("b", "reader", Subject(kind="Group", name="writers"))
    policy.set_binding(bound)
    decision = policy.decide(wants("get", "pods", namespace="ns"))
    assert decision.allowed
    assert decision.reason == 'RBAC: allowed by RoleBinding "ns/b" of Role "reader" to Group "writers"'
    assert not policy.decide(wants("get", "pods", namespace="other")).allowed
    assert not policy.decide(wants("get", "pods")).allowed
    policy.remove_binding(bound)
    assert not policy.decide(wants("get", "pods", namespace="ns")).allowed


def test_a_service_account_is_found_by_its_user() -> None:
    policy = Policy()
    policy.set_role(ClusterRole(metadata=ObjectMeta(name="reader"), rules=[rule("get", "", "pods")]))
    policy.set_binding(
        binding("b", "reader", Subject(kind="ServiceAccount", name="sa", namespace="x"), kind="ClusterRole")
    )
    user = User("system:serviceaccount:x:sa")
    assert policy.decide(msgspec.structs.replace(wants("get", "pods", namespace="ns"), user=user)).allowed


def test_a_missing_role_is_named() -> None:
    policy = Policy()
    policy.set_binding(binding("b", "gone", Subject(kind="User", name="anne"), kind="ClusterRole"))
    decision = policy.decide(wants("get", "pods", namespace="ns"))
    assert decision.reason == 'RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found'


def test_the_bootstrap_policy_refers_only_to_roles_it_has() -> None:
    objects = bootstrap_policy.objects()
    roles = {(o.kind, o.metadata.namespace, o.metadata.name) for o in objects}
    assert len(roles) == len(objects)
    for o in objects:
        if o.kind in {"ClusterRoleBinding", "RoleBinding"}:
            namespace = o.metadata.namespace if o.role_ref.kind == "Role" else ""
            assert (o.role_ref.kind, namespace, o.role_ref.name) in roles
    names = {o.metadata.name for o in objects if o.kind == "ClusterRole"}
    assert {"admin", "edit", "view", "cluster-admin", "system:node", "system:controller:job-controller"} <= names


def test_reconciling_adds_what_is_missing_and_keeps_what_was_added() -> None:
    wanted = next(o for o in bootstrap_policy.objects() if o.metadata.name == "system:kube-dns")
    assert isinstance(wanted, ClusterRole)
    assert bootstrap_policy.reconciled(wanted, wanted) is None
    extra = rule("get", "", "secrets")
    changed = bootstrap_policy.reconciled(msgspec.structs.replace(wanted, rules=[extra]), wanted)
    assert isinstance(changed, ClusterRole)
    assert changed.rules == [extra, *wanted.rules]
    frozen = msgspec.structs.replace(
        wanted,
        rules=[],
        metadata=msgspec.structs.replace(wanted.metadata, annotations={bootstrap_policy.AUTOUPDATE: "false"}),
    )
    assert bootstrap_policy.reconciled(frozen, wanted) is None


def test_whoever_has_no_binding_any_more_is_forgotten() -> None:
    policy = Policy()
    for number in range(10):
        subjects = [Subject(kind="User", name=f"u{number}"), Subject(kind="User", name=f"u{number}")]
        bound = binding(f"b{number}", "reader", *subjects)
        policy.set_binding(bound)
        policy.remove_binding(bound)
    assert not policy._grants
    assert not policy._bindings


def test_decisions_about_long_names_are_not_remembered() -> None:
    policy = Policy()
    for attributes in (wants("get", "", path="/" + "x" * 1000), wants("get", "pods", name="x" * 1000)):
        assert not policy.decide(attributes).allowed
    policy.decide(wants("get", "pods", name="short"))
    assert len(policy._decisions) == 1
