"""Validating admission policies on a real API server."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .api import Api
from .test_custom_resources import definition, install, path, widget
from .waiting import until

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
POLICIES, BINDINGS = f"{ADMISSION}/validatingadmissionpolicies", f"{ADMISSION}/validatingadmissionpolicybindings"
CONFIG_MAPS = {
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "resources": ["configmaps"],
    "operations": ["CREATE", "UPDATE"],
}

Bind = Callable[..., str]


@pytest.fixture
def bind(api: Api, namespace: str) -> Iterator[Bind]:
    """Make a policy, bound in the test's namespace; its name."""
    made: list[str] = []

    def bind(
        *validations: dict[str, Any],
        rules: Any = (CONFIG_MAPS,),
        actions: Any = ("Deny",),
        binding: dict[str, Any] | None = None,
        **spec: Any,
    ) -> str:
        name = f"{namespace}-{len(made)}"
        body = {
            "metadata": {"name": name},
            "spec": {"matchConstraints": {"resourceRules": list(rules)}, "validations": list(validations), **spec},
        }
        api.create(POLICIES, body)
        made.append(f"{POLICIES}/{name}")
        here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
        bound = {"policyName": name, "validationActions": list(actions), "matchResources": here, **(binding or {})}
        api.create(BINDINGS, {"metadata": {"name": name}, "spec": bound})
        made.append(f"{BINDINGS}/{name}")
        return name

    yield bind
    for each in made:
        api.request("DELETE", each)


@pytest.fixture
def config_maps(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


def config_map(name: str = "a", **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": data}


def test_what_breaks_a_policy_is_refused(api: Api, bind: Bind, config_maps: str) -> None:
    name = bind(
        {"expression": "has(object.data.owner)", "message": "say who owns it"},
        {"expression": "object.metadata.name != 'bad'", "reason": "Forbidden"},
    )
    refused = api.request("POST", config_maps, config_map(a=""))
    by = f"ValidatingAdmissionPolicy '{name}' with binding '{name}' denied request"
    assert (refused.code, refused.body["reason"]) == (422, "Invalid")
    assert refused.body["message"] == f'configmaps "a" is forbidden: {by}: say who owns it'
    assert refused.body["details"]["causes"] == [{"message": f"{by}: say who owns it"}]
    refused = api.request("POST", config_maps, config_map("bad", owner="me"))
    assert (refused.code, refused.body["reason"]) == (403, "Forbidden")
    assert refused.body["message"].endswith("failed expression: object.metadata.name != 'bad'")
    assert api.request("POST", config_maps, config_map(owner="me")).code == 201
    assert api.request("POST", "/api/v1/namespaces/default/configmaps?dryRun=All", config_map("bad")).code == 201


def test_variables_messages_and_conditions(api: Api, bind: Bind, config_maps: str) -> None:
    bind(
        {
            "expression": "variables.count <= variables.most",
            "messageExpression": "'%d are more than %d'.format([variables.count, variables.most])",
        },
        variables=[
            {"name": "count", "expression": "size(object.data)"},
            {"name": "most", "expression": "variables.count > 100 ? 0 : 2"},
        ],
        matchConditions=[{"name": "not-exempt", "expression": "object.metadata.name != 'exempt'"}],
    )
    assert api.request("POST", config_maps, config_map(a="", b="")).code == 201
    refused = api.request("POST", config_maps, config_map("b", a="", b="", c=""))
    assert refused.body["message"].endswith("denied request: 3 are more than 2")
    assert api.request("POST", config_maps, config_map("exempt", a="", b="", c="")).code == 201


def test_parameters(api: Api, bind: Bind, config_maps: str, namespace: str) -> None:
    reference = {"name": "limits", "parameterNotFoundAction": "Deny"}
    bind(
        {"expression": "object.metadata.name == 'limits' || size(object.data) <= int(params.data.most)"},
        paramKind={"apiVersion": "v1", "kind": "ConfigMap"},
        binding={"paramRef": reference},
    )
    refused = api.request("POST", config_maps, config_map(a=""))
    assert "no params found for policy binding with `Deny` parameterNotFoundAction" in refused.body["message"]
    api.create(f"/api/v1/namespaces/{namespace}/secrets", {"metadata": {"name": "other"}})
    # Nobody could make the parameter object under the policy: it is made elsewhere, and the binding follows.
    api.create("/api/v1/namespaces/default/configmaps", config_map(f"limits-{namespace}", most="1"))
    change = {"spec": {"paramRef": {"name": f"limits-{namespace}", "namespace": "default"}}}
    api.patch(f"{BINDINGS}/{namespace}-0", change)
    assert api.request("POST", config_maps, config_map(a="")).code == 201
    assert api.request("POST", config_maps, config_map("b", a="", b="")).code == 422
    api.request("DELETE", f"/api/v1/namespaces/default/configmaps/limits-{namespace}")


def test_actions(api: Api, bind: Bind, config_maps: str) -> None:
    name = bind({"expression": "false", "message": "never"}, actions=("Warn", "Audit"))
    answer = api.request("POST", config_maps, config_map())
    assert answer.code == 201
    told = f"Validation failed for ValidatingAdmissionPolicy '{name}' with binding '{name}': never"
    assert answer.warnings == [f'299 - "{told}"']


def test_what_cannot_be_evaluated(api: Api, bind: Bind, config_maps: str) -> None:
    bind({"expression": "object.data.missing == 'a'"}, failurePolicy="Ignore")
    assert api.request("POST", config_maps, config_map()).code == 201
    bind({"expression": "object.data.missing == 'a'"})
    refused = api.request("POST", config_maps, config_map("b", a=""))
    assert refused.body["message"].endswith(
        "expression 'object.data.missing == 'a'' resulted in error: no such key: missing"
    )


def test_what_expressions_see(api: Api, bind: Bind, config_maps: str, namespace: str) -> None:
    bind(
        {"expression": f"request.namespace == '{namespace}' && namespaceObject.metadata.name == '{namespace}'"},
        {"expression": "request.operation == 'CREATE' ? oldObject == null : oldObject.data.a == '1'"},
        {"expression": "authorizer.group('').resource('configmaps').namespace('default').check('get').allowed()"},
        {"expression": "authorizer.serviceAccount('default', 'x').path('/metrics').check('get').allowed() == false"},
        {"expression": "'system:masters' in request.userInfo.groups"},
        {"expression": "authorizer.requestResource.check('create').allowed()"},
    )
    created = api.request("POST", config_maps, config_map(a="1"))
    assert created.code == 201, created.text
    assert api.request("PATCH", f"{config_maps}/a", {"data": {"a": "2"}}, "application/merge-patch+json").code == 200
    assert api.request("PATCH", f"{config_maps}/a", {"data": {"a": "3"}}, "application/merge-patch+json").code == 422


def test_connecting(api: Api, bind: Bind, namespace: str) -> None:
    exec_rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods/exec"], "operations": ["CONNECT"]}
    bind({"expression": "object.command[0] != 'rm'", "message": "no rm"}, rules=[exec_rule])
    pods = f"/api/v1/namespaces/{namespace}/pods"
    api.create(pods, {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "a", "image": "a"}]}})
    refused = api.request("POST", f"{pods}/a/exec?command=rm&stdout=1")
    assert (refused.code, "no rm" in refused.body["message"]) == (422, True)
    allowed = api.request("POST", f"{pods}/a/exec?command=ls&stdout=1")
    assert "no rm" not in allowed.body["message"]


def test_custom_resources_in_every_version(api: Api, bind: Bind, namespace: str) -> None:
    group = f"{namespace}.example.com"
    install(api, definition(group))
    rule = {"apiGroups": [group], "apiVersions": ["v1"], "resources": ["widgets"], "operations": ["CREATE"]}
    bind({"expression": "object.spec.size < 5"}, rules=(rule,))
    assert api.request("POST", path(group, namespace), widget(group)).code == 201
    assert api.request("POST", path(group, namespace), widget(group, "b", size=6)).code == 422
    api.request("DELETE", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.{group}")
    until(lambda: not api.exists(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.{group}"), "it goes")


def test_policies_that_do_not_compile_are_refused(api: Api, namespace: str) -> None:
    body = {
        "metadata": {"name": namespace},
        "spec": {
            "matchConstraints": {"resourceRules": [CONFIG_MAPS]},
            "validations": [{"expression": "object.x +"}, {"expression": "1 + 1"}],
        },
    }
    refused = api.request("POST", POLICIES, body)
    assert refused.code == 422
    fields = [cause["field"] for cause in refused.body["details"]["causes"]]
    assert fields == ["spec.validations[0].expression", "spec.validations[1].expression"]


def test_types_are_checked(api: Api, bind: Bind, namespace: str) -> None:
    group = f"{namespace}.example.com"
    install(api, definition(group))
    rule = {"apiGroups": [group], "apiVersions": ["v1"], "resources": ["widgets"], "operations": ["CREATE"]}
    name = bind({"expression": "object.spec.size < 5"}, {"expression": "object.spec.colour == ''"}, rules=(rule,))
    status = until(
        lambda: (policy := api.get(f"{POLICIES}/{name}"))["status"].get("observedGeneration") and policy["status"],
        "the policy is looked at",
    )
    [warning] = status["typeChecking"]["expressionWarnings"]
    assert warning["fieldRef"] == "spec.validations[1].expression"
    assert warning["warning"].startswith(f"{group}/v1, Kind=Widget: ERROR: <input>:1:12: undefined field 'colour'")
