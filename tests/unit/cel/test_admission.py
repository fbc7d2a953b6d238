"""Expressions of policies and match conditions: their variables, the authorizer, what they build."""

import pytest

from steersman.cel import DYN, CompileError, admission
from steersman.cel.construction import mismatches, plain
from steersman.cel.library.authorizing import RESOURCE, Check
from steersman.cel.types import INT

REQUEST = {
    "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
    "operation": "CREATE",
    "userInfo": {"username": "ann", "groups": ["ops"], "extra": {"scopes": ["a"]}},
    "dryRun": False,
}
OBJECT = {"metadata": {"name": "web", "labels": {"app": "web"}}, "spec": {"replicas": 3}}


@pytest.fixture
def variables(authorizer):
    asked = Check(authorizer, RESOURCE, group="apps", resource="deployments", namespace="n", name="web")
    return {
        "object": OBJECT,
        "oldObject": None,
        "request": REQUEST,
        "params": {"most": 5},
        "namespaceObject": {"metadata": {"name": "n", "labels": {"tier": "test"}}},
        "authorizer": authorizer,
        "authorizer.requestResource": asked,
        "variables": {"count": 3},
    }


ENVIRONMENT = admission.environment(params=DYN, variables={"count": INT})


@pytest.mark.parametrize(
    "expression",
    [
        "object.spec.replicas <= params.most && oldObject == null",
        "request.operation in ['CREATE', 'UPDATE'] && 'ops' in request.userInfo.groups",
        "request.userInfo.extra['scopes'].exists(s, s == 'a') && !request.dryRun",
        "namespaceObject.metadata.labels.tier == 'test' && !has(namespaceObject.metadata.annotations)",
        "variables.count == object.spec.replicas",
        "authorizer.path('/healthz').check('get').allowed() && !authorizer.path('/x').check('get').allowed()",
        "authorizer.group('apps').resource('deployments').namespace('n').check('create').allowed()",
        "authorizer.requestResource.check('create').allowed() && !authorizer.requestResource.check('delete').allowed()",
        "authorizer.group('').resource('pods').check('get').reason() == 'by policy'",
        "authorizer.group('').resource('broken').check('get').errored()",
        "authorizer.group('').resource('broken').check('get').error() == 'no connection'",
    ],
)
def test_variables(expression, variables):
    assert ENVIRONMENT.compile(expression).evaluate(variables)[::2] == (True, None)


def test_the_authorizer_is_asked_all_that_was_said(variables, policy):
    expression = (
        "authorizer.serviceAccount('ns', 'sa').group('g').resource('r').subresource('s').namespace('n').name('x')"
        ".fieldSelector('a=b').labelSelector('c').check('list').allowed()"
    )
    assert ENVIRONMENT.compile(expression).evaluate(variables).value is False
    ((check, verb, account),) = policy.asked
    assert (verb, account) == ("list", ("ns", "sa"))
    assert (check.group, check.resource, check.subresource, check.namespace, check.name) == ("g", "r", "s", "n", "x")
    assert (check.field_selector, check.label_selector) == ("a=b", "c")


def test_only_two_checks_are_affordable(variables):
    check = "authorizer.path('/healthz').check('get').allowed()"
    program = ENVIRONMENT.compile(" && ".join([check] * 3))
    assert str(program.evaluate(variables).error) == "operation cancelled: actual cost limit exceeded"


@pytest.mark.parametrize("expression", ["request.object == object", "request.nope == 1", "variables.nope == 1"])
def test_what_is_not_there_is_refused(expression):
    with pytest.raises(CompileError, match="undefined field"):
        ENVIRONMENT.compile(expression)


MUTATING = admission.environment(mutating=True)
BUILT = [
    ("Object{spec: Object.spec{replicas: object.spec.replicas + 1}}", {"spec": {"replicas": 4}}),
    ("Object{spec: Object.spec{?a: optional.none(), ?b: optional.of(1)}}", {"spec": {"b": 1}}),
    (
        "Object{spec: Object.spec{parts: [Object.spec.parts{x: 1.5}], more: Object.spec.more{}}}",
        {"spec": {"parts": [{"x": 1.5}], "more": {}}},
    ),
    ("Object{metadata: Object.metadata{labels: {'a/b': 'Object.x{y: 1}'}}}  // Object.z{", None),
    (
        "[JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('a/b~c'), value: 'x'}]",
        [{"op": "add", "path": "/metadata/labels/a~1b~0c", "value": "x"}],
    ),
    (
        "[JSONPatch{op: 'add', path: '/spec', value: Object.spec{when: duration('1s')}}]",
        [{"op": "add", "path": "/spec", "value": {"when": "1s"}}],
    ),
]


@pytest.mark.parametrize(("expression", "wanted"), BUILT)
def test_objects_are_built(expression, wanted, variables):
    result = MUTATING.compile(expression, "dyn").evaluate(variables)
    assert result.error is None
    assert plain(result.value) == wanted or wanted is None


def test_types_of_objects_are_their_fields(variables):
    good, bad = (
        MUTATING.compile(f"Object{{spec: Object.{name}{{a: 1}}}}", "Object").evaluate(variables).value
        for name in ("spec", "status")
    )
    assert list(mismatches(good)) == []
    (mismatch,) = mismatches(bad)
    assert mismatch.startswith('unexpected type name "Object.status", expected "Object.spec", which matches field name')


def test_a_patch_has_its_own_fields(variables):
    with pytest.raises(CompileError, match="undefined field 'nope'"):
        MUTATING.compile("JSONPatch{nope: 1}", "dyn")
    result = MUTATING.compile("JSONPatch{op: object.spec.replicas}", "dyn").evaluate(variables)
    assert "for JSONPatchType 'op' field" in str(result.error)


def test_nothing_is_built_where_nothing_is_changed():
    with pytest.raises(CompileError, match="undeclared reference to 'Object'"):
        ENVIRONMENT.compile("Object{} == object")
