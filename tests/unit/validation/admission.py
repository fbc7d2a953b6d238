"""What is said of webhooks and admission policies: upstream's ``pkg/apis/admissionregistration/validation``."""

from __future__ import annotations

from steersman.api.types import admissionregistration_v1, admissionregistration_v1beta1

from .grammars import LABEL_1035 as LABEL
from .grammars import QUALIFIED, SUBDOMAIN
from .objects import Change, Faults, Row, Valid

_RULE = "{operations: [CREATE], apiGroups: [''], apiVersions: [v1], resources: [pods]}"
_HOOK = (
    "name: a.example.com, sideEffects: None, admissionReviewVersions: [v1], clientConfig: {url: 'https://a'}, "
    f"rules: [{_RULE}]"
)
HOOKS, MUTATING = "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"
POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
MUTATION = "MutatingAdmissionPolicy"
KINDS = {
    HOOKS: Valid(admissionregistration_v1.ValidatingWebhookConfiguration, f"webhooks: [{{{_HOOK}}}]", ""),
    MUTATING: Valid(admissionregistration_v1.MutatingWebhookConfiguration, f"webhooks: [{{{_HOOK}}}]", ""),
    POLICY: Valid(
        admissionregistration_v1.ValidatingAdmissionPolicy,
        f"spec: {{matchConstraints: {{resourceRules: [{_RULE}]}}, validations: [{{expression: 'true'}}]}}",
        "",
    ),
    BINDING: Valid(
        admissionregistration_v1.ValidatingAdmissionPolicyBinding,
        "spec: {policyName: p, validationActions: [Deny]}",
        "",
    ),
    MUTATION: Valid(
        admissionregistration_v1beta1.MutatingAdmissionPolicy,
        f"spec: {{matchConstraints: {{resourceRules: [{_RULE}]}}, reinvocationPolicy: Never, "
        "mutations: [{patchType: JSONPatch, jsonPatch: {expression: '[]'}}]}",
        "",
    ),
}
OPERATIONS = 'supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE"'
HOOK = "webhooks[0]"


def _hooks(*texts: str) -> str:
    """Webhooks, each the valid one with other members."""
    given = ({**_members(_HOOK), **_members(text)} for text in texts)
    return "webhooks: [" + ", ".join(f"{{{', '.join(f'{k}: {v}' for k, v in hook.items())}}}" for hook in given) + "]"


def _members(text: str) -> dict[str, str]:
    """The members of a mapping in flow style, whose values may be mappings and lists."""
    found, depth, start = [], 0, 0
    for place, character in enumerate(text):
        depth += (character in "{[") - (character in "}]")
        if character == "," and not depth:
            found.append(text[start:place])
            start = place + 1
    pairs = (member.partition(":") for member in (*found, text[start:]) if member.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _rules(text: str) -> str:
    members = {**_members(_RULE[1:-1]), **_members(text)}
    return _hooks(f"rules: [{{{', '.join(f'{k}: {v}' for k, v in members.items())}}}]")


def _ruled(name: str, text: str) -> Faults:
    return [f"{HOOK}.rules[0].{name}: {text}"]


_WEBHOOKS: list[tuple[str, Faults]] = [
    (_hooks("name: ''"), [f"{HOOK}.name: Required value"]),
    (_hooks("name: example.com"), [
        f'{HOOK}.name: Invalid value: "example.com": should be a domain with at least three segments separated by dots'
    ]),
    (_hooks("name: A_.b.c"), [f'{HOOK}.name: Invalid value: "A_.b.c": {SUBDOMAIN}']),
    (_hooks("", ""), ['webhooks[1].name: Duplicate value: "a.example.com"']),
    (_hooks("failurePolicy: Odd"), [f'{HOOK}.failurePolicy: Unsupported value: "Odd": supported values: "Fail", "Ignore"']),
    (_hooks("matchPolicy: Odd"), [f'{HOOK}.matchPolicy: Unsupported value: "Odd": supported values: "Equivalent", "Exact"']),
    (_hooks("sideEffects: null"), [f"{HOOK}.sideEffects: Required value: must specify one of None, NoneOnDryRun"]),
    (_hooks("sideEffects: Some"), [
        f'{HOOK}.sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"'
    ]),
    (_hooks("timeoutSeconds: 31"), [
        f"{HOOK}.timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds"
    ]),
    (_hooks("timeoutSeconds: 0"), [
        f"{HOOK}.timeoutSeconds: Invalid value: 0: the timeout value must be between 1 and 30 seconds"
    ]),
    (_hooks("namespaceSelector: {matchLabels: {a: '-'}}"), [
        f'{HOOK}.namespaceSelector.matchLabels: Invalid value: "-": a valid label must be an empty string or consist of '
        "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  "
        "or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
    ]),
    (_hooks("objectSelector: {matchExpressions: [{key: a, operator: Near}]}"), [
        f'{HOOK}.objectSelector.matchExpressions[0].operator: Invalid value: "Near": not a valid selector operator'
    ]),
    (_hooks("clientConfig: {}"), [f"{HOOK}.clientConfig: Required value: exactly one of url or service is required"]),
    (_hooks("clientConfig: {url: 'https://me@a'}"), [
        f'{HOOK}.clientConfig.url: Invalid value: "me": user information is not permitted in the URL'
    ]),
    (_hooks("clientConfig: {service: {name: s, namespace: default, path: a}}"), [
        f'{HOOK}.clientConfig.service.path: Invalid value: "a": must start with a \'/\'',
        f'{HOOK}.clientConfig.service.path: Invalid value: "a": segment[0] may not be empty',
    ]),
    (_hooks("admissionReviewVersions: []"), [
        f"{HOOK}.admissionReviewVersions: Required value: must specify one of v1, v1beta1"
    ]),
    (_hooks("admissionReviewVersions: [v1, v1]"), [
        f'{HOOK}.admissionReviewVersions[1]: Invalid value: "v1": duplicate version'
    ]),
    (_hooks("admissionReviewVersions: [1v]"), [
        f'{HOOK}.admissionReviewVersions[0]: Invalid value: "1v": {LABEL}',
        f'{HOOK}.admissionReviewVersions: Invalid value: ["1v"]: must include at least one of v1, v1beta1',
    ]),
    (_hooks("matchConditions: [{name: '', expression: ' '}]"), [
        f"{HOOK}.matchConditions[0].expression: Required value", f"{HOOK}.matchConditions[0].name: Required value"
    ]),
    (_hooks("matchConditions: [{name: '-', expression: 'true'}]"), [
        f'{HOOK}.matchConditions[0].name: Invalid value: "-": {QUALIFIED}'
    ]),
    (_hooks("matchConditions: [{name: a, expression: 'true'}, {name: a, expression: 'true'}]"), [
        f'{HOOK}.matchConditions[1].name: Duplicate value: "a"'
    ]),
    (_hooks(f"matchConditions: [{', '.join(f'{{name: a{n}, expression: a}}' for n in range(65))}]"), [
        f"{HOOK}.matchConditions: Too many: 65: must have at most 64 items"
    ]),
    # Rules.
    (_rules("operations: []"), _ruled("operations", "Required value")),
    (_rules("operations: ['*', CREATE]"), _ruled(
        "operations", 'Invalid value: ["*","CREATE"]: if \'*\' is present, must not specify other operations'
    )),
    (_rules("operations: [PATCH]"), _ruled("operations[0]", f'Unsupported value: "PATCH": {OPERATIONS}')),
    (_rules("apiGroups: []"), _ruled("apiGroups", "Required value")),
    (_rules("apiGroups: ['*', a]"), _ruled(
        "apiGroups", 'Invalid value: ["*","a"]: if \'*\' is present, must not specify other API groups'
    )),
    (_rules("apiVersions: []"), _ruled("apiVersions", "Required value")),
    (_rules("apiVersions: ['']"), _ruled("apiVersions[0]", "Required value")),
    (_rules("apiVersions: ['*', v1]"), _ruled(
        "apiVersions", 'Invalid value: ["*","v1"]: if \'*\' is present, must not specify other API versions'
    )),
    (_rules("resources: []"), _ruled("resources", "Required value")),
    (_rules("resources: ['']"), _ruled("resources[0]", "Required value")),
    (_rules("resources: [a/*, a/x]"), _ruled(
        "resources[1]", "Invalid value: \"a/x\": if 'a/*' is present, must not specify a/x"
    )),
    (_rules("resources: ['*/a', b/a]"), _ruled(
        "resources[1]", "Invalid value: \"b/a\": if '*/a' is present, must not specify b/a"
    )),
    (_rules("resources: ['*/*', a]"), _ruled(
        "resources", 'Invalid value: ["*/*","a"]: if \'*/*\' is present, must not specify other resources'
    )),
    (_rules("resources: ['*', a]"), _ruled(
        "resources",
        'Invalid value: ["*","a"]: if \'*\' is present, must not specify other resources without subresources',
    )),
    (_rules("resources: [a, '*']"), []),  # upstream looks at the last one without a slash alone
    (_rules("resources: ['*', a/b]"), []),
    (_rules("scope: Odd"), _ruled("scope", 'Unsupported value: "Odd": supported values: "*", "Cluster", "Namespaced"')),
]  # fmt: skip

_IDENTIFIER = "name is not a valid CEL identifier"


def _match(text: str) -> str:
    return f"spec: {{matchConstraints: {{{text}}}}}"


_POLICIES: list[tuple[str, Faults]] = [
    ("spec: {failurePolicy: Odd}", ['spec.failurePolicy: Unsupported value: "Odd": supported values: "Fail", "Ignore"']),
    ("spec: {paramKind: {apiVersion: '', kind: ''}}", [
        "spec.paramKind.apiVersion: Required value", "spec.paramKind.kind: Required value"
    ]),
    ("spec: {paramKind: {apiVersion: a/b/c, kind: K_}}", [
        'spec.paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
        f'spec.paramKind.kind: Invalid value: "K_": may have mixed case, but should otherwise match: {LABEL}',
    ]),
    ("spec: {paramKind: {apiVersion: A_/, kind: K}}", [
        f'spec.paramKind.apiVersion: Invalid value: "A_": {SUBDOMAIN}',
        'spec.paramKind.apiVersion: Invalid value: "A_/": version must be specified',
    ]),
    ("spec: {paramKind: {apiVersion: a/V1, kind: K}}", [f'spec.paramKind.apiVersion: Invalid value: "V1": {LABEL}']),
    ("spec: {matchConstraints: null}", ["spec.matchConstraints: Required value"]),
    (_match("resourceRules: []"), ["spec.matchConstraints.resourceRules: Required value"]),
    (_match("matchPolicy: Odd"), [
        'spec.matchConstraints.matchPolicy: Unsupported value: "Odd": supported values: "Equivalent", "Exact"'
    ]),
    (_match("objectSelector: {matchExpressions: [{key: a, operator: In}]}"), [
        "spec.matchConstraints.objectSelector.matchExpressions[0].values: Required value: must be specified when `operator` "
        "is 'In' or 'NotIn'"
    ]),
    (_match(f"excludeResourceRules: [{{resourceNames: [a, a/b, a], {_RULE[1:-1]}}}]"), [
        "spec.matchConstraints.excludeResourceRules[0].resourceNames[1]: Invalid value: \"a/b\": may not contain '/'",
        'spec.matchConstraints.excludeResourceRules[0].resourceNames[2]: Duplicate value: "a"',
    ]),
    ("spec: {variables: [{name: ' ', expression: ' '}, {name: 1a, expression: 'true'}, {name: let, expression: 'true'}]}", [
        "spec.variables[0].name: Required value: name is not specified",
        "spec.variables[0].expression: Required value: expression is not specified",
        f'spec.variables[1].name: Invalid value: "1a": {_IDENTIFIER}',
        f'spec.variables[2].name: Invalid value: "let": {_IDENTIFIER}',
    ]),
]  # fmt: skip
_VALIDATIONS: list[tuple[str, Faults]] = [
    ("spec: {validations: []}", [
        f"spec.{name}: Required value: validations or auditAnnotations must contain at least one item"
        for name in ("validations", "auditAnnotations")
    ]),
    ("spec: {validations: [{expression: ' '}]}", [
        "spec.validations[0].expression: Required value: expression is not specified"
    ]),
    ("spec: {validations: [{expression: a, messageExpression: ' ', message: ' ', reason: Odd}]}", [
        'spec.validations[0].messageExpression: Invalid value: " ": must be non-empty if specified',
        'spec.validations[0].message: Invalid value: " ": message must be non-empty if specified',
        'spec.validations[0].reason: Unsupported value: "Odd": supported values: "Forbidden", "Invalid", '
        '"RequestEntityTooLarge"',
    ]),
    ('spec: {validations: [{expression: a, message: "a\\nb"}]}', [
        'spec.validations[0].message: Invalid value: "a\\nb": message must not contain line breaks'
    ]),
    ("spec: {validations: [], auditAnnotations: [{key: a, valueExpression: b}]}", []),
    ("spec: {auditAnnotations: [{key: '-', valueExpression: ' '}, {key: a, valueExpression: b}, {key: a, valueExpression: b}]}", [
        f'spec.auditAnnotations[0].key: Invalid value: "x/-": {QUALIFIED}',
        "spec.auditAnnotations[0].valueExpression: Required value: valueExpression is not specified",
        'spec.auditAnnotations[2].key: Duplicate value: "a"',
    ]),
    (f"spec: {{auditAnnotations: [{{key: a, valueExpression: {'b' * 5121}}}]}}", [
        "spec.auditAnnotations[0].valueExpression: Required value: must not exceed 5120 bytes in length"
    ]),
]  # fmt: skip
_MUTATIONS: list[tuple[str, Faults]] = [
    ("spec: {mutations: []}", ["spec.mutations: Required value: mutations must contain at least one item"]),
    ("spec: {mutations: [{patchType: Odd}]}", [
        'spec.mutations[0].patchType: Unsupported value: "Odd": supported values: "ApplyConfiguration", "JSONPatch"'
    ]),
    ("spec: {mutations: [{patchType: ApplyConfiguration, jsonPatch: {expression: a}}]}", [
        "spec.mutations[0].applyConfiguration: Required value: must be specified when patchType is ApplyConfiguration",
        'spec.mutations[0].jsonPatch: Invalid value: "{...}": must not be specified when patchType is ApplyConfiguration',
    ]),
    ("spec: {mutations: [{patchType: JSONPatch, jsonPatch: {expression: ' '}}]}", [
        "spec.mutations[0].jsonPatch.expression: Required value: expression is not specified"
    ]),
    ("spec: {reinvocationPolicy: Odd}", [
        'spec.reinvocationPolicy: Unsupported value: "Odd": supported values: "IfNeeded", "Never"'
    ]),
]  # fmt: skip
_ACTIONS = 'supported values: "Audit", "Deny", "Warn"'
_BINDINGS: list[tuple[str, Faults]] = [
    ("spec: {policyName: ''}", ["spec.policyName: Required value"]),
    ("spec: {policyName: A_}", [f'spec.policyName: Invalid value: "A_": {SUBDOMAIN}']),
    ("spec: {validationActions: []}", ["spec.validationActions: Required value: at least one validation action is required"]),
    ("spec: {validationActions: [Deny, Odd, Deny]}", [
        f'spec.validationActions[1]: Unsupported value: "Odd": {_ACTIONS}', 'spec.validationActions[2]: Duplicate value: "Deny"'
    ]),
    ("spec: {validationActions: [Deny, Warn]}", [
        'spec.validationActions: Invalid value: ["Deny","Warn"]: must not contain both Deny and Warn (repeating the same '
        "validation failure information in the API response and headers serves no purpose)"
    ]),
    ("spec: {paramRef: {parameterNotFoundAction: Deny}}", [
        "spec.paramRef: Required value: one of name or selector must be specified"
    ]),
    ("spec: {paramRef: {name: a/b, parameterNotFoundAction: Odd}}", [
        "spec.paramRef.name: Invalid value: \"a/b\": may not contain '/'",
        'spec.paramRef.parameterNotFoundAction: Unsupported value: "Odd": supported values: "Deny", "Allow"',
    ]),
    ("spec: {paramRef: {name: a, selector: {}}}", [
        "spec.paramRef.name: Forbidden: name and selector are mutually exclusive",
        "spec.paramRef.selector: Forbidden: name and selector are mutually exclusive",
        "spec.paramRef.parameterNotFoundAction: Required value",
    ]),
    ("spec: {matchResources: {matchPolicy: Odd}}", [
        'spec.matchResources.matchPolicy: Unsupported value: "Odd": supported values: "Equivalent", "Exact"'
    ]),
]  # fmt: skip

ROWS: list[Row] = [
    *((kind, patch, faults) for kind in (HOOKS, MUTATING) for patch, faults in _WEBHOOKS),
    (MUTATING, _hooks("reinvocationPolicy: Odd"), [
        f'{HOOK}.reinvocationPolicy: Unsupported value: "Odd": supported values: "IfNeeded", "Never"'
    ]),
    *((kind, patch, faults) for kind in (POLICY, MUTATION) for patch, faults in _POLICIES),
    *((POLICY, patch, faults) for patch, faults in _VALIDATIONS),
    *((MUTATION, patch, faults) for patch, faults in _MUTATIONS),
    *((BINDING, patch, faults) for patch, faults in _BINDINGS),
]  # fmt: skip

CHANGES: list[Change] = [
    # What an older server let through may stay.
    Change(HOOKS, "metadata: {labels: {a: b}}", [], old=_hooks("sideEffects: Some")),
    Change(HOOKS, "metadata: {labels: {a: b}}", [], old=_hooks("admissionReviewVersions: [v2]")),
    Change(HOOKS, "metadata: {labels: {a: b}}", [], old=_hooks("", "")),
    Change(HOOKS, _hooks("sideEffects: Some"), [
        f'{HOOK}.sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"'
    ]),
    Change(POLICY, "spec: {failurePolicy: Odd}", [
        'spec.failurePolicy: Unsupported value: "Odd": supported values: "Fail", "Ignore"'
    ]),
    Change(POLICY, "status: {typeChecking: {expressionWarnings: [{fieldRef: ' ', warning: ''}]}}", [
        "status.typeChecking.expressionWarnings[0].warning: Required value",
        "status.typeChecking.expressionWarnings[0].fieldRef: Required value",
    ], subresource="status"),
    Change(BINDING, "spec: {policyName: q}", []),
]  # fmt: skip
