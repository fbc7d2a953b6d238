"""What is said of FlowSchemas and priority levels: upstream's ``pkg/apis/flowcontrol/validation``."""

from __future__ import annotations

import pytest

from steersman.api.types import flowcontrol_v1

from .grammars import LABEL
from .objects import Faults, Valid

KINDS = {
    "schema": Valid(flowcontrol_v1.FlowSchema, "spec: {priorityLevelConfiguration: {name: p}}", ""),
    "level": Valid(
        flowcontrol_v1.PriorityLevelConfiguration,
        "spec: {type: Limited, limited: {limitResponse: {type: Queue, queuing: {}}}}",
        "",
    ),
}
WHO = "subjects: [{kind: User, user: {name: u}}]"
RULE = "spec.rules[0]"
FIRST = f"{RULE}.resourceRules[0]"
URLS = f"{RULE}.nonResourceRules[0]"
SUBJECT = f"{RULE}.subjects[0]"
QUEUING = "spec.limited.limitResponse.queuing"
VERBS = '"create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"'


def _subject(text: str) -> str:
    return (
        f"spec: {{rules: [{{subjects: [{{{text}}}], nonResourceRules: [{{verbs: ['*'], nonResourceURLs: ['*']}}]}}]}}"
    )


def _resources(**changes: str) -> str:
    members = {"verbs": "[get]", "apiGroups": "['']", "resources": "[pods]", "namespaces": "[default]"} | changes
    rule = ", ".join(f"{name}: {value}" for name, value in members.items())
    return f"spec: {{rules: [{{{WHO}, resourceRules: [{{{rule}}}]}}]}}"


def _urls(urls: str) -> str:
    return f"spec: {{rules: [{{{WHO}, nonResourceRules: [{{verbs: [get], nonResourceURLs: {urls}}}]}}]}}"


def _queuing(text: str) -> str:
    return f"spec: {{limited: {{limitResponse: {{queuing: {{{text}}}}}}}}}"


ROWS: list[tuple[str, str, Faults]] = [
    ("schema", "spec: {matchingPrecedence: -1}", [
        "spec.matchingPrecedence: Invalid value: -1: must be a positive value"
    ]),
    ("schema", "spec: {matchingPrecedence: 10001}", [
        "spec.matchingPrecedence: Invalid value: 10001: must not be greater than 10000"
    ]),
    ("schema", "spec: {matchingPrecedence: 1}", [
        "spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1"
    ]),
    ("schema", "spec: {priorityLevelConfiguration: {name: ''}}", [
        "spec.priorityLevelConfiguration.name: Required value: must reference a priority level"
    ]),
    ("schema", "spec: {rules: [{}]}", [
        f"{RULE}.subjects: Required value: subjects must contain at least one value",
        f"{RULE}: Required value: at least one of resourceRules and nonResourceRules has to be non-empty",
    ]),
    ("schema", _subject("kind: Robot"), [
        f'{SUBJECT}.kind: Unsupported value: "Robot": supported values: "Group", "ServiceAccount", "User"'
    ]),
    ("schema", _subject("kind: User"), [
        f"{SUBJECT}.user: Required value: user is required when subject kind is 'User'"
    ]),
    ("schema", _subject("kind: Group, group: {name: ''}"), [f"{SUBJECT}.group.name: Required value"]),
    ("schema", _subject("kind: Group, group: {name: g}, user: {name: u}"), [
        f"{SUBJECT}.user: Forbidden: user is forbidden when subject kind is not 'User'"
    ]),
    ("schema", _subject("kind: ServiceAccount"), [
        f"{SUBJECT}.serviceAccount: Required value: serviceAccount is required when subject kind is 'ServiceAccount'"
    ]),
    ("schema", _subject("kind: ServiceAccount, serviceAccount: {name: '*', namespace: ''}"), [
        f"{SUBJECT}.serviceAccount.namespace: Required value: must specify namespace for service account"
    ]),
    ("schema", _resources(verbs="[]"), [f"{FIRST}.verbs: Required value: verbs must contain at least one value"]),
    ("schema", _resources(verbs="['*', get]"), [
        f"""{FIRST}.verbs: Invalid value: ["*","get"]: if '*' is present, must not specify other verbs"""
    ]),
    ("schema", _resources(verbs="[look]"), [f'{FIRST}.verbs: Unsupported value: ["look"]: supported values: {VERBS}']),
    ("schema", _resources(apiGroups="[]", resources="[]"), [
        f"{FIRST}.apiGroups: Required value: resource rules must supply at least one api group",
        f"{FIRST}.resources: Required value: resource rules must supply at least one resource",
    ]),
    ("schema", _resources(namespaces="[]"), [
        f"{FIRST}.namespaces: Required value: resource rules that are not cluster scoped must supply at least one "
        "namespace"
    ]),
    ("schema", _resources(namespaces="[]", clusterScope="true"), []),
    ("schema", _resources(namespaces="[A]"), [
        f"""{FIRST}.namespaces[0]: Invalid value: "A": each member of this list must be '*' or a DNS-1123 """
        f"label; {LABEL}"
    ]),
    ("schema", _urls("[]"), [
        f"{URLS}.nonResourceURLs: Required value: nonResourceURLs must contain at least one value"
    ]),
    *(
        ("schema", _urls(f"['{url}']"), [f'{URLS}.nonResourceURLs[0]: Invalid value: "{url}": {detail}'])
        for url, detail in (
            ("", "must not be empty"),
            ("a", "must start with slash"),
            ("/a b", "must not contain white-space"),
            ("/a//b", "must not contain double slash"),
            ("/a*", "wildcard can only do suffix matching"),
            ("/*/*", "wildcard can only do suffix matching"),
        )
    ),
    ("level", "spec: {type: Exempt}", [
        "spec.type: Invalid value: \"Exempt\": type must be 'Exempt' if and only if name is 'exempt'",
        "spec.limited: Forbidden: must be nil if the type is not Limited",
    ]),
    ("level", "spec: {type: Odd}", ['spec.type: Unsupported value: "Odd": supported values: "Exempt", "Limited"']),
    ("level", "spec: {limited: null}", ["spec.limited: Required value: must not be empty when type is Limited"]),
    ("level", "spec: {limited: {limitResponse: {type: Reject}}}", [
        "spec.limited.limitResponse.queuing: Forbidden: must be nil if limited.limitResponse.type is not Limited"
    ]),
    ("level", "spec: {limited: {limitResponse: {queuing: null}}}", [
        "spec.limited.limitResponse.queuing: Required value: must not be empty if limited.limitResponse.type is Limited"
    ]),
    ("level", "spec: {limited: {limitResponse: {type: Odd}}}", [
        'spec.limited.limitResponse.type: Unsupported value: "Odd": supported values: "Queue", "Reject"'
    ]),
    ("level", _queuing("queueLengthLimit: -1"), [f"{QUEUING}.queueLengthLimit: Invalid value: -1: must be positive"]),
    ("level", _queuing("queues: -1"), [
        f"{QUEUING}.queues: Invalid value: -1: must be positive",
        f"{QUEUING}.handSize: Invalid value: 8: should not be greater than queues (-1)",
    ]),
    ("level", _queuing("queues: 10000001, handSize: 1"), [
        f"{QUEUING}.queues: Invalid value: 10000001: must not be greater than 10000000"
    ]),
    ("level", _queuing("handSize: -1"), [f"{QUEUING}.handSize: Invalid value: -1: must be positive"]),
    ("level", _queuing("queues: 4, handSize: 5"), [
        f"{QUEUING}.handSize: Invalid value: 5: should not be greater than queues (4)"
    ]),
    ("level", _queuing("queues: 512, handSize: 8"), [
        f"{QUEUING}.handSize: Invalid value: 8: required entropy bits of deckSize 512 and handSize 8 should not be "
        "greater than 60"
    ]),
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_valid_one_passes(kind: str) -> None:
    assert KINDS[kind].faults() == []


@pytest.mark.parametrize(("kind", "patch", "faults"), ROWS)
def test_rules(kind: str, patch: str, faults: Faults) -> None:
    assert KINDS[kind].faults(patch) == faults


def test_conditions_are_of_different_types() -> None:
    assert KINDS["schema"].change("{}", "status: {conditions: [{type: ''}, {type: ''}]}", "status") == [
        "status.conditions[0].type: Required value: must not be empty",
        'status.conditions[1].type: Duplicate value: ""',
        "status.conditions[1].type: Required value: must not be empty",
    ]
