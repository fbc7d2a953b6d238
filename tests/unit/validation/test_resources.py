"""One row for each rule of requests, limits and claims."""

from __future__ import annotations

import pytest

from steersman.api.pods import qos_class, totals
from steersman.api.types import core_v1 as v1

from .grammars import QUALIFIED
from .samples import POD, faults, pod, relative

NATURAL = "must be greater than or equal to 0"
NO_OVERCOMMIT = "limits: Required value: Limit must be set for non overcommitable resources"

ROWS = [
    ("limits: {cpu: -1}", [
        f'limits[cpu]: Invalid value: "-1": {NATURAL}',
        f'requests[cpu]: Invalid value: "-1": {NATURAL}',
    ]),
    ("requests: {cpu: 2}, limits: {cpu: 1}", [
        'requests: Invalid value: "2": must be less than or equal to cpu limit of 1'
    ]),
    ("requests: {disk: 1}", [
        'requests[disk]: Invalid value: "disk": must be a standard resource type or fully qualified',
        'requests[disk]: Invalid value: "disk": must be a standard resource for containers',
    ]),
    ("requests: {storage: 1}", ['requests[storage]: Invalid value: "storage": must be a standard resource for containers']),
    ("requests: {a/-: 1}, limits: {a/-: 1}", [
        f'limits[a/-]: Invalid value: "a/-": {QUALIFIED}',
        'limits[a/-]: Invalid value: "a/-": doesn\'t follow extended resource name standard',
        f'requests[a/-]: Invalid value: "a/-": {QUALIFIED}',
        'requests[a/-]: Invalid value: "a/-": doesn\'t follow extended resource name standard',
    ]),
    ("requests: {requests.example.com/a: 1}, limits: {requests.example.com/a: 1}", [
        f"{part}[requests.example.com/a]: Invalid value: \"requests.example.com/a\": doesn't follow extended resource name "
        "standard"
        for part in ("limits", "requests")
    ]),
    ("requests: {example.com/a: 1}", [NO_OVERCOMMIT]),
    ("requests: {example.com/a: 1}, limits: {example.com/a: 2}", [
        'requests: Invalid value: "1": must be equal to example.com/a limit of 2'
    ]),
    ("limits: {example.com/a: 500m}", [
        'limits[example.com/a]: Invalid value: "500m": must be an integer',
        'requests[example.com/a]: Invalid value: "500m": must be an integer',
    ]),
    ("limits: {hugepages-2Mi: 4Mi}", [": Forbidden: HugePages require cpu or memory"]),
    ("limits: {cpu: 1, hugepages-2Mi: 4Mi}", []),
    ("limits: {cpu: 1, hugepages-2Mi: 3Mi}", [
        f'{part}[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi'
        for part in ("limits", "requests")
    ]),
    ("limits: {cpu: 1, hugepages-0: 1}", [
        f'{part}[hugepages-0]: Invalid value: "1": 1 is not positive integer multiple of hugepages-0'
        for part in ("limits", "requests")
    ]),
    ("claims: [{name: ''}]", ["claims[0]: Required value"]),
    ("claims: [{name: x}]", [
        'claims[0]: Not found: "x": must be one of the names in pod.spec.resourceClaims: a, b'
    ]),
    ("claims: [{name: a}, {name: a}]", ['claims[1]: Duplicate value: "a"']),
    ("claims: [{name: a}, {name: a, request: r}]", ['claims[1]: Duplicate value: "a"']),
    ("claims: [{name: a, request: r}, {name: a}]", ['claims[1]: Duplicate value: "a"']),
    ("claims: [{name: a, request: r}, {name: a, request: r}]", ['claims[1]: Duplicate value: "a/r"']),
    ("claims: [{name: a, request: r}, {name: a, request: s}, {name: b}]", []),
    ("claims: [{name: a, request: r.s}]", ['claims[0].request: Invalid value: "r.s": must not contain dots']),
]  # fmt: skip
CLAIMS = "resourceClaims: [{name: a, resourceClaimName: x}, {name: b, resourceClaimTemplateName: x}]"


@pytest.mark.parametrize(("resources", "said"), ROWS, ids=lambda value: str(value)[:60])
def test_what_is_said_of_resources(resources: str, said: list[str]) -> None:
    spec = f"{{{CLAIMS}, containers: [{{name: a, image: b, resources: {{{resources}}}}}]}}"
    found = faults(v1.Pod, POD, f"spec: {spec}")
    assert [fault.removeprefix("spec.containers[0].resources").removeprefix(".") for fault in found] == said


def test_without_claims_none_can_be_named() -> None:
    found = faults(v1.Pod, POD, "spec: {containers: [{name: a, image: b, resources: {claims: [{name: x}]}}]}")
    assert found == [
        'spec.containers[0].resources.claims[0]: Not found: "x": must be one of the names in pod.spec.resourceClaims '
        "which is empty"
    ]


POD_CLAIMS = [
    ("{name: '', resourceClaimName: x}", ["name: Required value"]),
    ("{name: a.b, resourceClaimName: x}", ['name: Invalid value: "a.b": must not contain dots']),
    ("{name: a}", [
        ': Invalid value: {"name":"a"}: must specify one of: `resourceClaimName`, `resourceClaimTemplateName`'
    ]),
    ("{name: a, resourceClaimName: x, resourceClaimTemplateName: z}", [
        ': Invalid value: {"name":"a","resourceClaimName":"x","resourceClaimTemplateName":"z"}: at most one of '
        "`resourceClaimName` or `resourceClaimTemplateName` may be specified"
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("claim", "said"), POD_CLAIMS, ids=lambda value: str(value)[:60])
def test_what_is_said_of_a_pods_claims(claim: str, said: list[str]) -> None:
    found = faults(v1.Pod, POD, f"spec: {{resourceClaims: [{claim}]}}")
    assert [fault.removeprefix("spec.resourceClaims[0]").removeprefix(".") for fault in found] == said


def test_claims_are_named_once_and_not_by_static_pods() -> None:
    claim = "{name: a, resourceClaimName: x}"
    assert faults(v1.Pod, POD, f"spec: {{resourceClaims: [{claim}, {claim}]}}") == [
        'spec.resourceClaims[1].name: Duplicate value: "a"'
    ]
    static = "metadata: {annotations: {kubernetes.io/config.mirror: x}}"
    found = faults(v1.Pod, POD, f"{{{static}, spec: {{nodeName: node, resourceClaims: [{claim}]}}}}")
    assert found == [": Forbidden: static pods do not support resource claims"]


TWO = "containers: [{name: a, image: b, resources: {%s}}, {name: c, image: b, resources: {%s}}]"
POD_LEVEL = [
    ("resources: {requests: {cpu: 1}}, " + TWO % ("requests: {cpu: 1}", "requests: {cpu: 500m}"), [
        'requests[cpu]: Invalid value: "1": must be greater than or equal to aggregate container requests of 1500m'
    ]),
    ("resources: {limits: {cpu: 1, memory: 1Gi}}, " + TWO % ("limits: {memory: 2Gi}", ""), [
        'requests: Invalid value: "2Gi": must be less than or equal to memory limit of 1Gi',
        'containers[0][memory].limits: Invalid value: "2Gi": must be less than or equal to pod limits of 1Gi',
    ]),
    ("resources: {requests: {ephemeral-storage: 1}}", [
        'requests[ephemeral-storage]: Unsupported value: "ephemeral-storage": supported values: "cpu", "memory"'
    ]),
    ("resources: {claims: [{name: x}]}", [
        "claims: Forbidden: claims may not be set for Resources at pod-level",
        'claims[0]: Not found: "x": must be one of the names in pod.spec.resourceClaims which is empty',
    ]),
    (
        "resources: {requests: {cpu: 1, hugepages-2Mi: 2Mi}, limits: {hugepages-2Mi: 2Mi}}, "
        + TWO % ("limits: {cpu: 1m, hugepages-2Mi: 2Mi}", "limits: {cpu: 1m, hugepages-2Mi: 2Mi}"),
        [
            'requests[hugepages-2Mi]: Invalid value: "2Mi": must be greater than or equal to aggregate container '
            "requests of 4Mi",
            'limits[hugepages-2Mi]: Invalid value: "2Mi": must be greater than or equal to aggregate container limits of '
            "4Mi",
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "said"), POD_LEVEL, ids=lambda value: str(value)[:60])
def test_what_is_said_of_a_pods_resources(spec: str, said: list[str]) -> None:
    assert relative(faults(v1.Pod, POD, f"spec: {{{spec}}}"), "spec.resources.") == said


def test_a_pod_needs_what_it_needs_at_its_peak() -> None:
    spec = pod(
        """{
          containers: [{name: a, image: b, resources: {requests: {cpu: 1, memory: 1Gi}}}],
          initContainers: [
            {name: s, image: b, restartPolicy: Always, resources: {requests: {cpu: 500m}}},
            {name: i, image: b, resources: {requests: {cpu: 2, memory: 512Mi}}},
            {name: t, image: b, restartPolicy: Always, resources: {requests: {cpu: 250m}}}]}"""
    ).spec
    assert {name: str(amount.normalize()) for name, amount in totals(spec, "requests").items()} == {
        "cpu": "2.5",  # the second init container beside the first sidecar
        "memory": str(1 << 30),
    }


@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        ("{}", "BestEffort"),
        ("{requests: {cpu: 0}}", "BestEffort"),
        ("{requests: {cpu: 1}}", "Burstable"),
        ("{limits: {cpu: 1}}", "Burstable"),
        ("{limits: {cpu: 1, memory: 1Gi}}", "Guaranteed"),
        ("{limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 1000m, memory: 1024Mi}}", "Guaranteed"),
        ("{limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 1}}", "Guaranteed"),
        ("{limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 500m}}", "Burstable"),
        ("{requests: {example.com/a: 1}}", "BestEffort"),
    ],
)
def test_quality_of_service(resources: str, quality: str) -> None:
    assert qos_class(pod(f"{{containers: [{{name: a, image: b, resources: {resources}}}]}}").spec) == quality
    assert qos_class(pod(f"{{resources: {resources}}}").spec) == quality


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("{resources: {limits: {cpu: 2}}}", {"cpu": "2"}),
        (
            "{resources: {limits: {cpu: 2}}, containers: [{name: a, image: b, resources: {requests: {cpu: 500m}}}]}",
            {"cpu": "500m"},
        ),
        (
            "{resources: {limits: {cpu: 2}}, initContainers: [{name: i, image: b, resources: {requests: {cpu: 1}}}], "
            "containers: [{name: a, image: b, resources: {requests: {cpu: 500m}}}]}",
            {"cpu": "1"},
        ),
        (
            "{resources: {limits: {cpu: 2}}, initContainers: [{name: i, image: b, restartPolicy: Always, "
            "resources: {requests: {cpu: 1}}}], containers: [{name: a, image: b, resources: {requests: {cpu: 500m}}}]}",
            {"cpu": "1500m"},
        ),
    ],
)
def test_requests_of_whole_pods(spec: str, expected: dict[str, str]) -> None:
    resources = pod(spec).spec.resources
    assert resources is not None
    assert resources.requests == expected
