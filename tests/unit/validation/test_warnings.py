"""What the server warns of in valid objects of the core group, in upstream's words."""

from __future__ import annotations

import pytest

from steersman.api.types import core_v1 as v1
from steersman.api.types import node_v1, storage_v1
from steersman.api.warnings.nodes import node_warnings
from steersman.api.warnings.pods import pod_warnings, template_warnings
from steersman.api.warnings.topology import runtime_class_warnings, storage_capacity_warnings, storage_class_warnings
from steersman.api.warnings.volumes import claim_warnings, persistent_volume_warnings

from .samples import POD, build, pod

# fmt: off
SPECS = [
    ("{}", []),
    ("{nodeSelector: {beta.kubernetes.io/arch: amd64}}", [
        'nodeSelector[beta.kubernetes.io/arch]: deprecated since v1.14; use "kubernetes.io/arch" instead'
    ]),
    ("{topologySpreadConstraints: [{maxSkew: 1, topologyKey: failure-domain.beta.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule}]}", [
        'topologySpreadConstraints[0].topologyKey: failure-domain.beta.kubernetes.io/zone is deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
        "topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod",
    ]),
    ("{affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a}]}}}", [
        "affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector: a null labelSelector results in matching no pod"
    ]),
    ("{affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, podAffinityTerm: {topologyKey: a}}]}}}", [
        "affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.labelSelector: a null labelSelector results in matching no pod"
    ]),
    ("{imagePullSecrets: [{name: a}, {name: a}, {}]}", [
        'imagePullSecrets[1].name: duplicate name "a"',
        'imagePullSecrets[2].name: invalid empty name ""',
    ]),
    ("{hostAliases: [{ip: 1.1.1.1}, {ip: 1.1.1.1}]}", ['hostAliases[1].ip: duplicate ip "1.1.1.1"']),
    ("{terminationGracePeriodSeconds: -1}", [
        "terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"
    ]),
    ("{overhead: {memory: 100m}}", ['overhead[memory]: fractional byte value "100m" is invalid, must be an integer']),
    ("{containers: [{name: a, image: b, resources: {requests: {ephemeral-storage: 1500m, memory: 1}, limits: {memory: 2500m}}}]}", [
        'containers[0].resources.limits[memory]: fractional byte value "2500m" is invalid, must be an integer',
        'containers[0].resources.requests[ephemeral-storage]: fractional byte value "1500m" is invalid, must be an integer',
    ]),
    ("{containers: [{name: a, image: b, env: [{name: A, value: x}, {name: A, value: z}]}]}", [
        'containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply'
    ]),
    ("{containers: [{name: a, image: b, env: [{name: A, value: x}, {name: A, value: '$(A):y'}]}]}", []),
    ("{containers: [{name: a, image: b, ports: [{containerPort: 80}, {containerPort: 80}]}]}", [
        "containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]"
    ]),
    ("{containers: [{name: a, image: b, ports: [{containerPort: 80}, {containerPort: 80, protocol: UDP}]}]}", []),
    ("{containers: [{name: a, image: b, ports: [{containerPort: 80}]}, {name: c, image: b, ports: [{containerPort: 80, hostPort: 80}]}]}", [
        "containers[1].ports[0]: overlapping port definition with spec.containers[0].ports[0]"
    ]),
    ("{containers: [{name: a, image: b, ports: [{containerPort: 80, hostPort: 80}]}, {name: c, image: b, ports: [{containerPort: 80, hostPort: 80, hostIP: 1.1.1.1}]}]}", [
        "containers[1].ports[0]: dangerously ambiguous port definition with spec.containers[0].ports[0]"
    ]),
    ("{volumes: [{name: v, gitRepo: {repository: r}}]}", [
        "volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+"
    ]),
    ("{volumes: [{name: v, rbd: {image: i, monitors: [m]}}]}", [
        "volumes[0].rbd: deprecated in v1.28, non-functional in v1.31+"
    ]),
    ("{volumes: [{name: v, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 500m}}}}}}]}", [
        'volumes[0].ephemeral.volumeClaimTemplate.spec.resources.requests[storage]: fractional byte value "500m" is invalid, must be an integer'
    ]),
]
# fmt: on


@pytest.mark.parametrize(("spec", "expected"), SPECS)
def test_pod_specs(spec: str, expected: list[str]) -> None:
    assert list(pod_warnings(pod(spec))) == [f"spec.{each}" for each in expected]
    template = v1.PodTemplateSpec(spec=pod(spec).spec)
    found = [each.replace("template.spec.", "spec.", 1) for each in template_warnings(template, "template")]
    assert [each.replace("with template.spec.", "with spec.") for each in found] == [
        f"spec.{each}" for each in expected
    ]


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        (
            "configMap: {name: c, items: [{key: a, path: x}, {key: b, path: x/y}]}",
            'volume "v" (ConfigMap "c"): overlapping paths: "x/y" with "x"',
        ),
        (
            "secret: {secretName: s, items: [{key: a, path: x}, {key: b, path: x}]}",
            'volume "v" (Secret "s"): overlapping paths: "x" with "x"',
        ),
        (
            "projected: {sources: [{configMap: {name: c, items: [{key: a, path: x}]}}, {serviceAccountToken: {path: x/y}}]}",
            'volume "v" (Projected ServiceAccountToken): overlapping paths: "x/y" with "x"',
        ),
    ],
)
def test_files_that_hide_each_other(volume: str, expected: str) -> None:
    (found,) = pod_warnings(pod(f"{{volumes: [{{name: v, {volume}}}]}}"))
    # Sorted paths name the shorter one first; either order says the same.
    assert found.partition(": overlapping")[0] == expected.partition(": overlapping")[0]
    assert sorted(found.split('"')[-4::2]) == sorted(expected.split('"')[-4::2])


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ("{name: a.b}", ["metadata.name: this is used in the Pod's hostname, which can result in surprising behavior"]),
        (
            "{annotations: {security.alpha.kubernetes.io/sysctls: a=b}}",
            [
                "metadata.annotations[security.alpha.kubernetes.io/sysctls]: non-functional in v1.11+; use the "
                '"sysctls" field instead'
            ],
        ),
        (
            "{annotations: {seccomp.security.alpha.kubernetes.io/pod: runtime/default}}",
            [
                "metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]: non-functional in v1.27+; use the "
                '"seccompProfile" field instead'
            ],
        ),
        (
            "{annotations: {container.seccomp.security.alpha.kubernetes.io/a: runtime/default}}",
            ["metadata.annotations[container.seccomp.security.alpha.kubernetes.io/a]: non-functional in v1.27+"],
        ),
        ("{annotations: {container.seccomp.security.alpha.kubernetes.io/other: runtime/default}}", []),
    ],
)
def test_pod_metadata(metadata: str, expected: list[str]) -> None:
    found = list(pod_warnings(build(v1.Pod, POD, f"metadata: {metadata}")))
    assert len(found) == len(expected)
    assert all(each.startswith(start) for each, start in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("{}", []),
        ("{externalID: a}", ["spec.externalID: this field is deprecated, and is unused by Kubernetes"]),
        (
            "{configSource: {configMap: {name: a, namespace: b, kubeletConfigKey: c}}}",
            ["spec.configSource: the feature is removed"],
        ),
    ],
)
def test_nodes(spec: str, expected: list[str]) -> None:
    assert list(node_warnings(build(v1.Node, f"{{metadata: {{name: one}}, spec: {spec}}}"))) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("{hostPath: {path: /a}}", []),
        (
            "{hostPath: {path: /a}, persistentVolumeReclaimPolicy: Recycle}",
            [
                "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended "
                "approach is to use dynamic provisioning."
            ],
        ),
        ("{cephfs: {monitors: [m]}}", ["spec.cephfs: deprecated in v1.28, non-functional in v1.31+"]),
        (
            "{local: {path: /a}, nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: "
            "[{key: beta.kubernetes.io/os, operator: Exists}]}]}}}",
            [
                "spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].key: beta.kubernetes.io/os is "
                'deprecated since v1.14; use "kubernetes.io/os" instead'
            ],
        ),
    ],
)
def test_persistent_volumes(spec: str, expected: list[str]) -> None:
    assert (
        list(persistent_volume_warnings(build(v1.PersistentVolume, f"{{metadata: {{name: one}}, spec: {spec}}}")))
        == expected
    )


def test_claims() -> None:
    claim = build(v1.PersistentVolumeClaim, "{spec: {resources: {requests: {storage: 1500m}}}}")
    assert list(claim_warnings(claim.spec)) == [
        'spec.resources.requests[storage]: fractional byte value "1500m" is invalid, must be an integer'
    ]


def test_topologies() -> None:
    detail = 'deprecated since v1.14; use "kubernetes.io/os" instead'
    label = "beta.kubernetes.io/os"
    capacity = build(
        storage_v1.CSIStorageCapacity,
        f"{{nodeTopology: {{matchExpressions: [{{key: {label}, operator: Exists}}], matchLabels: {{{label}: linux}}}}}}",
    )
    assert list(storage_capacity_warnings(capacity)) == [
        f"nodeTopology.matchExpressions[0].key: {label} is {detail}",
        f"nodeTopology.matchLabels.{label}: {detail}",
    ]
    terms = f"{{allowedTopologies: [{{matchLabelExpressions: [{{key: {label}, values: [a]}}]}}]}}"
    assert list(storage_class_warnings(build(storage_v1.StorageClass, terms))) == [
        f"allowedTopologies[0].matchLabelExpressions[0].key: {detail}"
    ]
    runtime = build(node_v1.RuntimeClass, f"{{handler: h, scheduling: {{nodeSelector: {{{label}: linux}}}}}}")
    assert list(runtime_class_warnings(runtime)) == [f"scheduling.nodeSelector: {detail}"]
