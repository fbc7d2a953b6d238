"""What is said of CustomResourceDefinitions: upstream's ``apiextensions/validation`` and ``schema/validation.go``."""

from __future__ import annotations

from steersman.api.types import apiextensions_v1

from .grammars import LABEL_1035 as LABEL
from .grammars import SUBDOMAIN
from .objects import Change, Faults, Row, Valid

KINDS = {
    "CustomResourceDefinition": Valid(
        apiextensions_v1.CustomResourceDefinition,
        """
        metadata: {name: widgets.example.com}
        spec:
          group: example.com
          scope: Namespaced
          names: {plural: widgets, singular: widget, kind: Widget, listKind: WidgetList}
          versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
        status: {storedVersions: [v1]}
        """,
        "",
    ),
}
CRD = "CustomResourceDefinition"
MIXED = f"may have mixed case, but should otherwise match: {LABEL}"
ROOT = "spec.validation.openAPIV3Schema"
STORED = "status.storedVersions"
MISSING = (
    "missing from spec.versions; v0 was previously a storage version, and must remain in spec.versions until a storage "
    "migration ensures no data remains persisted in v0 and removes v0 from status.storedVersions"
)
APPROVAL = "metadata.annotations[api-approved.kubernetes.io]"
PROTECTED = 'protected groups must have approval annotation "api-approved.kubernetes.io"'
SEE = "see https://github.com/kubernetes/enhancements/pull/1111"
TYPES = 'supported values: "array", "boolean", "integer", "number", "object", "string"'
KEYS = f"{ROOT}.properties[a].x-kubernetes-list-map-keys"
LISTED = "this property is in x-kubernetes-list-map-keys, so it"
SET = "must be atomic as item of a list with x-kubernetes-list-type=set"
META = "must not specify anything other than name and generateName, but metadata is implicitly specified"
URL = "desired format: https://host[/path]"
ESTABLISHED = "conditions: [{type: Established, status: 'True'}], storedVersions: [v1]"


def _version(text: str, name: str = "v1", schema: str = "type: object") -> str:
    return f"{{name: {name}, served: true, storage: true, schema: {{openAPIV3Schema: {{{schema}}}}}, {text}}}"


def _with(text: str, schema: str = "type: object") -> str:
    return f"spec: {{versions: [{_version(text, schema=schema)}]}}"


def _schema(text: str) -> str:
    """A root that is an object, with more in it."""
    return _with("", f"type: object, {text}")


def _field(text: str) -> str:
    return _schema(f"properties: {{a: {{{text}}}}}")


def _rule(text: str) -> str:
    return _field(f"type: object, properties: {{b: {{type: string}}}}, x-kubernetes-validations: [{{{text}}}]")


def _said(name: str, text: str) -> Faults:
    """One fault of the field ``a``."""
    return [f"{ROOT}.properties[a]{name}: {text}"]


def _structural(name: str, wanted: str, path: str = "") -> Faults:
    return [f"{ROOT}.properties[a].{path}anyOf[0].{name}: Forbidden: must be {wanted} to be structural"]


def _nested(text: str) -> str:
    return _field(f"type: object, anyOf: [{{{text}}}]")


def _protected(approval: str) -> str:
    annotations = f"annotations: {{api-approved.kubernetes.io: {approval}}}" if approval else ""
    return f"{{metadata: {{name: widgets.k8s.io, {annotations}}}, spec: {{group: k8s.io}}}}"


def _webhook(text: str, versions: str = "[v1]") -> str:
    return f"spec: {{conversion: {{strategy: Webhook, webhook: {{conversionReviewVersions: {versions}, {text}}}}}}}"


def _map(keys: str, items: str) -> str:
    return _field(f"type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: {keys}, items: {{{items}}}")


UNTRUSTED = _webhook("clientConfig: {url: 'https://a', caBundle: Cg==}")

_NAMES: list[tuple[str, Faults]] = [
    ("metadata: {name: gadgets.example.com}", [
        'metadata.name: Invalid value: "gadgets.example.com": must be spec.names.plural+"."+spec.group'
    ]),
    ("{metadata: {name: widgets.}, spec: {group: null}}", [
        f'metadata.name: Invalid value: "widgets.": {SUBDOMAIN}', "spec.group: Required value"
    ]),
    ("{metadata: {name: widgets.A_.b}, spec: {group: A_.b}}", [
        f'metadata.name: Invalid value: "widgets.A_.b": {SUBDOMAIN}',
        f'spec.group: Invalid value: "A_.b": {SUBDOMAIN}',
    ]),
    ("{metadata: {name: widgets.example}, spec: {group: example}}", [
        'spec.group: Invalid value: "example": should be a domain with at least one dot'
    ]),
    ("spec: {scope: null}", ["spec.scope: Required value"]),
    ("spec: {scope: Global}", ['spec.scope: Unsupported value: "Global": supported values: "Cluster", "Namespaced"']),
    ("spec: {names: {kind: null, singular: null, listKind: WidgetList}}", [
        "spec.names.singular: Required value", "spec.names.kind: Required value"
    ]),
    ("spec: {names: {singular: A_}}", [f'spec.names.singular: Invalid value: "A_": {LABEL}']),
    ("spec: {names: {kind: 1Up}}", [f'spec.names.kind: Invalid value: "1Up": {MIXED}']),
    ("spec: {names: {listKind: L_}}", [f'spec.names.listKind: Invalid value: "L_": {MIXED}']),
    ("spec: {names: {listKind: Widget}}", [
        'spec.names.listKind: Invalid value: "Widget": kind and listKind may not be the same'
    ]),
    ("spec: {names: {shortNames: [w, W]}}", [f'spec.names.shortNames[1]: Invalid value: "W": {LABEL}']),
    ("spec: {names: {categories: [all, A]}}", [f'spec.names.categories[1]: Invalid value: "A": {LABEL}']),
    # Domains of Kubernetes' own.
    (_protected(""), [f"{APPROVAL}: Required value: {PROTECTED}, {SEE}"]),
    (_protected("fine"), [
        f'{APPROVAL}: Invalid value: "fine": {PROTECTED} with either a URL or a reason starting with "unapproved", {SEE}'
    ]),
    (_protected("https://github.com/kubernetes/kubernetes/pull/1"), []),
    (_protected("'unapproved, experimental'"), []),
]  # fmt: skip

_VERSIONS: list[tuple[str, Faults]] = [
    ("{spec: {versions: []}, status: {storedVersions: null}}", [
        "spec.versions: Invalid value: null: must have exactly one version marked as storage version",
        f"{STORED}: Invalid value: null: must have at least one stored version",
    ]),
    ("spec: {versions: [{name: v1, served: true, storage: true}]}", [
        "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required"
    ]),
    (f"{{spec: {{versions: [{_version('', 'V1')}]}}, status: {{storedVersions: [V1]}}}}", [
        f'spec.versions[0].name: Invalid value: "V1": {LABEL}'
    ]),
    ("status: {storedVersions: [v1, v0]}", [f'{STORED}[1]: Invalid value: "v0": {MISSING}']),
    ("status: {storedVersions: [v0]}", [
        f'{STORED}: Invalid value: ["v0"]: must have the storage version v1', f'{STORED}[0]: Invalid value: "v0": {MISSING}'
    ]),
    (_with("deprecationWarning: old"), [
        'spec.versions[0].deprecationWarning: Invalid value: "old": can only be set for deprecated versions'
    ]),
    (_with("deprecated: true, deprecationWarning: old"), []),
    (_with(r'deprecated: true, deprecationWarning: "a\u2028b"'), [
        r'spec.versions[0].deprecationWarning: Invalid value: "a\u2028b": must only contain printable UTF-8 characters; '
        "non-printable character found at index 1"
    ]),
    (_with(f"deprecated: true, deprecationWarning: {'x' * 257}"), [
        f'spec.versions[0].deprecationWarning: Invalid value: "{"x" * 257}": must be <= 256 characters long'
    ]),
    ("spec: {preserveUnknownFields: true}", [
        "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to "
        "true in spec.versions[*].schema instead"
    ]),
    # What versions do not share is said where it stands.
    (f"spec: {{versions: [{_version('')}, {{name: v2, served: true, storage: false, "
     "schema: {openAPIV3Schema: {type: array, items: {type: string}}}}]}", [
        'spec.versions[1].schema.openAPIV3Schema.type: Invalid value: "array": must be object at the root'
    ]),
    # Scale and columns.
    (_with("subresources: {scale: {specReplicasPath: '', statusReplicasPath: ''}}"), [
        "spec.subresources.scale.specReplicasPath: Required value", "spec.subresources.scale.statusReplicasPath: Required value"
    ]),
    (_with("subresources: {scale: {specReplicasPath: spec.a, statusReplicasPath: .spec.a, labelSelectorPath: .a}}"), [
        'spec.subresources.scale.specReplicasPath: Invalid value: "spec.a": must be a simple json path starting with .',
        'spec.subresources.scale.statusReplicasPath: Invalid value: ".spec.a": should be a json path under .status',
        'spec.subresources.scale.labelSelectorPath: Invalid value: ".a": should be a json path under either .spec or .status',
    ]),
    (_with("subresources: {scale: {specReplicasPath: .status.a, statusReplicasPath: .status.a, labelSelectorPath: s}}"), [
        'spec.subresources.scale.specReplicasPath: Invalid value: ".status.a": should be a json path under .spec',
        'spec.subresources.scale.labelSelectorPath: Invalid value: "s": must be a simple json path starting with .',
    ]),
    (_with("subresources: {scale: {specReplicasPath: .spec.a, statusReplicasPath: .status.a}}"), []),
    (_with("additionalPrinterColumns: [{name: '', type: '', jsonPath: ''}]"), [
        "spec.additionalPrinterColumns[0].name: Required value",
        "spec.additionalPrinterColumns[0].type: Required value: must be one of boolean,date,integer,number,string",
        "spec.additionalPrinterColumns[0].JSONPath: Required value",
    ]),
    (_with("additionalPrinterColumns: [{name: A, type: text, format: short, jsonPath: a}]"), [
        'spec.additionalPrinterColumns[0].type: Invalid value: "text": must be one of boolean,date,integer,number,string',
        'spec.additionalPrinterColumns[0].format: Invalid value: "short": must be one of '
        "byte,date,date-time,double,float,int32,int64,password",
        'spec.additionalPrinterColumns[0].JSONPath: Invalid value: "a": must be a simple json path starting with .',
    ]),
]  # fmt: skip

_SELECTED = "type: object, properties: {spec: {type: object, properties: {a: {type: string}, b: {type: object}}}}"
_PLACE = "spec.selectableFields"
_MANY = ", ".join(f"a{number}: {{type: string}}" for number in range(9))
_SELECTABLE: list[tuple[str, Faults]] = [
    (_with("selectableFields: [{jsonPath: .spec.a}]", _SELECTED), []),
    (_with("selectableFields: [{jsonPath: ''}]", _SELECTED), [f"{_PLACE}[0].jsonPath: Required value"]),
    *((_with(f"selectableFields: [{{jsonPath: '{path}'}}]", _SELECTED), [
        f'{_PLACE}[0].jsonPath: Invalid value: "{path}": is an invalid path: {detail}'
    ]) for path, detail in (
        (".spec.c", "does not refer to a valid field"),
        (".spec.a.b", "does not refer to a valid field"),
        ("spec.a", "expected [ or . but got: spec"),
        (".spec.", "unexpected end of JSON path"),
        (".spec[0]", "array notation is not allowed"),
    )),
    (_with("selectableFields: [{jsonPath: .spec.b}]", _SELECTED), [
        f'{_PLACE}[0].jsonPath: Invalid value: ".spec.b": must point to a field of type string, boolean or integer. Enum '
        "string fields and strings with formats are allowed."
    ]),
    (_with("selectableFields: [{jsonPath: .metadata.name}]", "type: object, properties: {metadata: {type: object, "
           "properties: {name: {type: string}}}}"), [
        f'{_PLACE}[0].jsonPath: Invalid value: ".metadata.name": must not point to fields in metadata'
    ]),
    (_with("selectableFields: [{jsonPath: .spec.a}, {jsonPath: .spec.a}]", _SELECTED), [
        f'{_PLACE}[1].jsonPath: Duplicate value: ".spec.a"'
    ]),
    (_with("selectableFields: [" + ", ".join(f"{{jsonPath: .a{n}}}" for n in range(9)) + "]",
           f"type: object, properties: {{{_MANY}}}"), [f"{_PLACE}: Too many: 9: must have at most 8 items"]),
]  # fmt: skip

_SCHEMAS: list[tuple[str, Faults]] = [
    # The root.
    (_with("", "description: x"), [f"{ROOT}.type: Required value: must not be empty at the root"]),
    (_with("", "type: string"), [f'{ROOT}.type: Invalid value: "string": must be object at the root']),
    (_schema("nullable: true"), [f"{ROOT}.nullable: Forbidden: nullable cannot be true at the root"]),
    (_schema("additionalProperties: {type: string}"), [f"{ROOT}.additionalProperties: Forbidden: must not be used at the root"]),
    (_schema("properties: {kind: {type: object}, apiVersion: {type: object}, metadata: {type: string}}"), [
        f'{ROOT}.properties[apiVersion].type: Invalid value: "object": must be string',
        f'{ROOT}.properties[kind].type: Invalid value: "object": must be string',
        f'{ROOT}.properties[metadata].type: Invalid value: "string": must be object',
    ]),
    (_schema("properties: {metadata: {type: object, properties: {labels: {type: object}}}}"), [
        f"{ROOT}.properties[metadata]: Forbidden: {META}"
    ]),
    (_schema("properties: {metadata: {type: object, properties: {name: {type: string}, generateName: {type: string}}}}"), []),
    (_with("subresources: {status: {}}", "type: object, nullable: true"), [
        f'{ROOT}: Invalid value: {{"type":"object","nullable":true}}: only [Description Type Format Title Maximum '
        "ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf "
        "Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations] fields are allowed at the root "
        "of the schema if the status subresource is enabled",
        f"{ROOT}.nullable: Forbidden: nullable cannot be true at the root",
    ]),
    (_with("subresources: {status: {}}", "type: array, items: {type: string}"), [
        f'{ROOT}.type: Invalid value: "array": only "object" is allowed as the type at the root of the schema if the status '
        "subresource is enabled",
        f'{ROOT}.type: Invalid value: "array": must be object at the root',
    ]),
    # Structure.
    (_field("description: x"), _said(".type", "Required value: must not be empty for specified object fields")),
    (_field("x-kubernetes-int-or-string: true"), []),
    (_field("x-kubernetes-preserve-unknown-fields: true"), []),
    (_field("type: array"), _said(".items", "Required value: must be specified")),
    (_field("type: array, items: {description: x}"), _said(
        ".items.type", "Required value: must not be empty for specified array items"
    )),
    (_field("x-kubernetes-int-or-string: true, x-kubernetes-embedded-resource: true, type: object, properties: {b: {type: string}}"),
     _said(".x-kubernetes-embedded-resource", "Invalid value: true: must be false if x-kubernetes-int-or-string is true")),
    (_field("x-kubernetes-int-or-string: true, x-kubernetes-preserve-unknown-fields: true"), _said(
        ".x-kubernetes-preserve-unknown-fields", "Invalid value: true: must be false if x-kubernetes-int-or-string is true"
    )),
    (_field("x-kubernetes-embedded-resource: true, x-kubernetes-preserve-unknown-fields: true"), _said(
        ".type", "Required value: must be object if x-kubernetes-embedded-resource is true"
    )),
    (_field("x-kubernetes-embedded-resource: true, type: string, properties: {b: {type: string}}"), _said(
        ".type", 'Invalid value: "string": must be object if x-kubernetes-embedded-resource is true'
    )),
    (_field("x-kubernetes-embedded-resource: true, type: object"), _said(
        ".properties", "Required value: must not be empty if x-kubernetes-embedded-resource is true without "
        "x-kubernetes-preserve-unknown-fields"
    )),
    (_field("x-kubernetes-embedded-resource: true, x-kubernetes-preserve-unknown-fields: true, type: object, "
            "additionalProperties: {type: string}"), _said(
        ".additionalProperties", "Forbidden: must not be used if x-kubernetes-embedded-resource is set"
    )),
    (_field("x-kubernetes-embedded-resource: true, type: object, properties: {kind: {type: integer}}"), _said(
        ".properties[kind].type", 'Invalid value: "integer": must be string'
    )),
    (_nested("type: string"), _structural("type", "empty")),
    (_nested("additionalProperties: {type: string}"), _structural("additionalProperties", "undefined")),
    (_nested("default: {}"), _structural("default", "undefined")),
    (_nested("title: x"), _structural("title", "empty")),
    (_nested("description: x"), _structural("description", "empty")),
    (_nested("nullable: true"), _structural("nullable", "false")),
    (_nested("x-kubernetes-preserve-unknown-fields: true"), _structural("x-kubernetes-preserve-unknown-fields", "false")),
    (_nested("x-kubernetes-int-or-string: true"), _structural("x-kubernetes-int-or-string", "false")),
    (_nested("x-kubernetes-validations: [{rule: 'true'}]"), _structural("x-kubernetes-validations", "empty")),
    (_field("type: object, properties: {metadata: {type: object}}, allOf: [{properties: {metadata: {}}}]"), _said(
        ".allOf[0].properties[metadata]", "Forbidden: must not be specified in a nested context"
    )),
    (_schema("allOf: [{properties: {b: {minLength: 1}}}]"), [
        f"{ROOT}.properties[b]: Required value: because it is defined in {ROOT}.allOf[0].properties[b]"
    ]),
    (_field("type: object, properties: {b: {type: string}}, not: {properties: {b: {pattern: x}}}"), []),
    (_field("x-kubernetes-int-or-string: true, anyOf: [{type: integer}, {type: string}]"), []),
    (_field("x-kubernetes-int-or-string: true, allOf: [{anyOf: [{type: integer}, {type: string}]}, {pattern: x}]"), []),
    (_field("type: string, pattern: '[a'"), _said(
        ".pattern", 'Invalid value: "[a": must be a valid regular expression, but isn\'t: error parsing regexp: missing '
        "]: [a"
    )),
    (_field("type: string, pattern: '(?P<year>[0-9]{4})'"), []),
    # What Kubernetes does not know.
    (_field("type: text"), _said(".type", f'Unsupported value: "text": {TYPES}')),
    (_field("type: 'null'"), [
        f'{ROOT}.properties[a].type: Unsupported value: "null": {TYPES}',
        f"{ROOT}.properties[a].type: Forbidden: type cannot be set to null, use nullable as an alternative",
    ]),
    (_field("type: string, id: x"), _said(".id", "Forbidden: id is not supported")),
    (_field("type: string, $ref: x"), _said(".$ref", "Forbidden: $ref is not supported")),
    (_field("type: object, patternProperties: {a: {type: string}}"), _said(
        ".patternProperties", "Forbidden: patternProperties is not supported"
    )),
    (_field("type: object, definitions: {a: {type: string}}"), _said(".definitions", "Forbidden: definitions is not supported")),
    (_field("type: object, dependencies: {a: [b]}"), _said(".dependencies", "Forbidden: dependencies is not supported")),
    (_field("type: array, items: {type: string}, additionalItems: true"), _said(
        ".additionalItems", "Forbidden: additionalItems is not supported"
    )),
    (_field("type: array, items: [{type: string}]"), _said(
        ".items", "Forbidden: items must be a schema object and not an array"
    )),
    (_field("type: string, $schema: x"), [f"{ROOT}: Invalid value: \"\": OpenAPIV3Schema 'schema' is not supported"]),
    (_field("type: array, items: {type: string}, uniqueItems: true"), _said(
        ".uniqueItems", "Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
    )),
    (_field("type: object, properties: {b: {type: string}}, additionalProperties: false"), _said(
        ".additionalProperties", "Forbidden: additionalProperties and properties are mutual exclusive"
    )),
    (_field("type: object, properties: {b: {type: string}}, additionalProperties: true"), []),
    (_field("type: object, x-kubernetes-preserve-unknown-fields: false"), _said(
        ".x-kubernetes-preserve-unknown-fields", "Invalid value: false: must be true or undefined"
    )),
    (_schema("properties: {metadata: {type: object, properties: {name: {type: string, default: x}}}}"), [
        f"{ROOT}.properties[metadata].properties[name].default: Forbidden: must not be set in top-level metadata"
    ]),
    (_field("type: object, x-kubernetes-embedded-resource: true, properties: {metadata: {type: object, "
            "x-kubernetes-embedded-resource: true, x-kubernetes-preserve-unknown-fields: true}}"), _said(
        ".properties[metadata].x-kubernetes-embedded-resource", "Forbidden: must not be used inside of resource meta"
    )),
    (_field("type: object, x-kubernetes-embedded-resource: true, properties: {metadata: {type: object, properties: {labels: "
            "{type: object, additionalProperties: {type: string, default: x}}}}}"), _said(
        ".properties[metadata].properties[labels].additionalProperties.default",
        "Forbidden: must not be set inside additionalProperties applying to object metadata",
    )),
]  # fmt: skip

_LISTS: list[tuple[str, Faults]] = [
    (_field("type: string, x-kubernetes-map-type: atomic"), _said(
        ".type", 'Invalid value: "string": must be object if x-kubernetes-map-type is specified'
    )),
    (_field("type: object, x-kubernetes-map-type: odd"), _said(
        ".x-kubernetes-map-type", 'Unsupported value: "odd": supported values: "atomic", "granular"'
    )),
    (_field("type: string, x-kubernetes-list-type: atomic"), _said(
        ".type", 'Invalid value: "string": must be array if x-kubernetes-list-type is specified'
    )),
    (_field("x-kubernetes-preserve-unknown-fields: true, x-kubernetes-list-type: atomic"), _said(
        ".type", "Required value: must be array if x-kubernetes-list-type is specified"
    )),
    (_field("type: array, items: {type: string}, x-kubernetes-list-type: odd"), _said(
        ".x-kubernetes-list-type", 'Unsupported value: "odd": supported values: "atomic", "set", "map"'
    )),
    (_field("type: array, items: {type: string}, x-kubernetes-list-type: set"), []),
    (_field("type: array, items: {type: object}, x-kubernetes-list-type: set"), _said(
        ".items.x-kubernetes-map-type", f"Invalid value: null: {SET}"
    )),
    (_field("type: array, items: {type: array, items: {type: string}, x-kubernetes-list-type: set}, x-kubernetes-list-type: set"),
     _said(".items.x-kubernetes-list-type", f'Invalid value: "set": {SET}')),
    (_field("type: array, items: {type: string, nullable: true}, x-kubernetes-list-type: set"), _said(
        ".items.nullable", "Forbidden: cannot be nullable when x-kubernetes-list-type is set"
    )),
    (_field("type: array, items: {type: string}, x-kubernetes-list-map-keys: [b]"), _said(
        ".x-kubernetes-list-type", "Required value: must be map if x-kubernetes-list-map-keys is non-empty"
    )),
    (_field("type: array, items: {type: string}, x-kubernetes-list-type: set, x-kubernetes-list-map-keys: [b]"), _said(
        ".x-kubernetes-list-type", 'Invalid value: "set": must be map if x-kubernetes-list-map-keys is non-empty'
    )),
    (_map("[b]", "type: object, required: [b], properties: {b: {type: string}}"), []),
    (_map("[b]", "type: object, properties: {b: {type: string, default: x}}"), []),
    (_map("[]", "type: object, properties: {b: {type: string}}"), [
        f"{KEYS}: Required value: must not be empty if x-kubernetes-list-type is map"
    ]),
    (_map("[b]", "type: string"), _said(
        ".items.type", 'Invalid value: "string": must be object if parent array\'s x-kubernetes-list-type is map'
    )),
    (_map("[c]", "type: object, properties: {b: {type: string}}"), [
        f'{KEYS}: Invalid value: ["c"]: entries must all be names of item properties'
    ]),
    (_map("[b, b]", "type: object, required: [b], properties: {b: {type: string}}"), [
        f'{KEYS}: Invalid value: ["b","b"]: must not contain duplicate entries'
    ]),
    (_map("[b]", "type: object, required: [b], properties: {b: {type: object}}"), _said(
        ".items.properties[b].type", 'Invalid value: "object": must be a scalar type if parent array\'s x-kubernetes-list-type is map'
    )),
    (_map("[b]", "type: object, properties: {b: {type: string}}"), _said(
        ".items.properties[b].default", f"Required value: {LISTED} must have a default or be a required property"
    )),
    (_map("[b]", "type: object, required: [b], properties: {b: {type: string, nullable: true}}"), _said(
        ".items.properties[b].nullable", f"Forbidden: {LISTED} cannot be nullable"
    )),
]  # fmt: skip

_AT = ".x-kubernetes-validations[0]"
_RULES: list[tuple[str, Faults]] = [
    (_rule("rule: 'true', message: wrong, reason: FieldValueForbidden, fieldPath: .b"), []),
    (_rule("rule: ' '"), _said(f"{_AT}.rule", "Required value: rule is not specified")),
    (_rule("rule: 'true', message: ' '"), _said(
        f"{_AT}.message", 'Invalid value: " ": message must be non-empty if specified'
    )),
    (_rule('rule: "true", message: "a\\nb"'), _said(
        f"{_AT}.message", 'Invalid value: "a\\nb": message must not contain line breaks'
    )),
    (_rule('rule: "true ||\\nfalse"'), _said(
        f"{_AT}.message", "Required value: message must be specified if rule contains line breaks"
    )),
    (_rule("rule: 'true', messageExpression: ' '"), _said(
        f"{_AT}.messageExpression", "Required value: messageExpression must be non-empty if specified"
    )),
    (_rule("rule: 'true', reason: Odd"), _said(
        f"{_AT}.reason", 'Unsupported value: "Odd": supported values: "FieldValueDuplicate", "FieldValueForbidden", '
        '"FieldValueInvalid", "FieldValueRequired"'
    )),
    (_rule("rule: 'true', fieldPath: .c"), _said(f"{_AT}.fieldPath", 'Invalid value: ".c": fieldPath must be a valid path')),
]  # fmt: skip

_CONFIG = "spec.conversion.webhookClientConfig"
_CONVERSIONS: list[tuple[str, Faults]] = [
    ("spec: {conversion: {strategy: ''}}", ["spec.conversion.strategy: Required value"]),
    ("spec: {conversion: {strategy: Odd}}", [
        'spec.conversion.strategy: Unsupported value: "Odd": supported values: "None", "Webhook"'
    ]),
    ("spec: {conversion: {strategy: None, webhook: {clientConfig: {url: 'https://a'}, conversionReviewVersions: [v1]}}}", [
        f"{_CONFIG}: Forbidden: should not be set when strategy is not set to Webhook",
        "spec.conversion.conversionReviewVersions: Forbidden: should not be set when strategy is not set to Webhook",
    ]),
    ("spec: {preserveUnknownFields: true, conversion: {strategy: Odd}}", [
        'spec.conversion.strategy: Invalid value: "Odd": must be None if spec.preserveUnknownFields is true',
        'spec.conversion.strategy: Unsupported value: "Odd": supported values: "None", "Webhook"',
        "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields "
        "to true in spec.versions[*].schema instead",
    ]),
    ("spec: {conversion: {strategy: Webhook}}", [
        f"{_CONFIG}: Required value: required when strategy is set to Webhook",
        "spec.conversion.conversionReviewVersions: Required value",
    ]),
    (_webhook("clientConfig: {url: 'https://a/b'}"), []),
    (_webhook("clientConfig: {}"), [f"{_CONFIG}: Required value: exactly one of url or service is required"]),
    (_webhook("clientConfig: {url: 'http://a?b#c'}"), [
        f"{_CONFIG}.url: Invalid value: \"http\": 'https' is the only allowed URL scheme; {URL}",
        f'{_CONFIG}.url: Invalid value: "c": fragments are not permitted in the URL',
        f'{_CONFIG}.url: Invalid value: "b": query parameters are not permitted in the URL',
    ]),
    (_webhook("clientConfig: {service: {name: '', namespace: '', port: 0, path: /a//b}}"), [
        f"{_CONFIG}.service.name: Required value: service name is required",
        f"{_CONFIG}.service.namespace: Required value: service namespace is required",
        f"{_CONFIG}.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive",
        f'{_CONFIG}.service.path: Invalid value: "/a//b": segment[1] may not be empty',
    ]),
    (_webhook("clientConfig: {url: 'https://a'}", "[v2, v2, A]"), [
        'spec.conversion.conversionReviewVersions[1]: Invalid value: "v2": duplicate version',
        f'spec.conversion.conversionReviewVersions[2]: Invalid value: "A": {LABEL}',
        'spec.conversion.conversionReviewVersions: Invalid value: ["v2","v2","A"]: must include at least one of v1, v1beta1',
    ]),
    # Before a definition is established nobody asks its webhook, so that tools may fill in the bundle later.
    (UNTRUSTED, []),
]  # fmt: skip

ROWS: list[Row] = [
    (CRD, patch, faults)
    for table in (_NAMES, _VERSIONS, _SELECTABLE, _SCHEMAS, _LISTS, _RULES, _CONVERSIONS)
    for patch, faults in table
]  # fmt: skip

CHANGES: list[Change] = [
    Change(CRD, "spec: {scope: Cluster, names: {kind: Gadget}}", []),
    Change(CRD, "spec: {scope: Cluster, names: {kind: Gadget}}", [
        'spec.scope: Invalid value: "Cluster": field is immutable',
        'spec.names.kind: Invalid value: "Gadget": field is immutable',
    ], old=f"status: {{{ESTABLISHED}}}"),
    Change(CRD, "spec: {group: example.org, names: {plural: gadgets}}", [
        'spec.group: Invalid value: "example.org": field is immutable',
        'spec.names.plural: Invalid value: "gadgets": field is immutable',
    ]),
    Change(CRD, f"spec: {{versions: [{_version('', 'v2')}]}}", [
        f'{STORED}: Invalid value: ["v1"]: must have the storage version v2',
        f'{STORED}[0]: Invalid value: "v1": {MISSING.replace("v0", "v1")}',
    ]),
    Change(CRD, "spec: {preserveUnknownFields: true}", [], old="spec: {preserveUnknownFields: true}"),
    Change(CRD, "metadata: {annotations: null}", [f"{APPROVAL}: Required value: {PROTECTED}, {SEE}"],
           old=_protected("https://github.com/kubernetes/kubernetes/pull/1")),
    Change(CRD, "metadata: {labels: {a: b}}", [], old=_protected("")),
    Change(CRD, UNTRUSTED, [
        f'{_CONFIG}.caBundle: Invalid value: "Cg==": unable to load root certificates: data does not contain any valid RSA '
        "or ECDSA certificates"
    ], old=f"status: {{{ESTABLISHED}}}"),
    Change(CRD, "metadata: {labels: {a: b}}", [],
           old=f"{{status: {{{ESTABLISHED}}}, {UNTRUSTED}}}"),
    Change(CRD, "status: {acceptedNames: {plural: A_, kind: A}}", [
        f'status.acceptedNames.plural: Invalid value: "A_": {LABEL}'
    ], subresource="status"),
]  # fmt: skip
