from __future__ import annotations

import textwrap
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from steersman.api import codecs, tables
from steersman.api.defaults import apply_defaults
from steersman.api.resources import TABLE, builtin_scheme
from steersman.api.tables.printer import human_duration
from steersman.api.types import autoscaling_v2, batch_v1, certificates_v1, core_v1, flowcontrol_v1, networking_v1
from steersman.api.yaml import load_yaml

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def cells(type_: type[Any], text: str) -> list[Any]:
    obj = codecs.from_builtins(type_, load_yaml(text))
    obj.metadata.creation_timestamp = NOW - timedelta(minutes=5)
    return tables.row(builtin_scheme().for_type(type_), obj, NOW).cells


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (150, "2m30s"),
        (599, "9m59s"),
        (600, "10m"),
        (179 * 60, "179m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 1800, "3h30m"),
        (8 * 3600 + 60, "8h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (51 * 3600, "2d3h"),
        (8 * 86400, "8d"),
        (729 * 86400, "729d"),
        (730 * 86400, "2y"),
        (800 * 86400, "2y70d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_durations(seconds: int, text: str) -> None:
    assert human_duration(seconds) == text


POD = """
metadata: {name: web}
spec: {nodeName: n1, containers: [{name: a}, {name: b}]}
status:
  phase: Running
  podIPs: [{ip: 10.0.0.1}]
"""


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (
            "  containerStatuses: [{name: a, ready: true, state: {running: {}}}, "
            "{name: b, ready: true, state: {running: {}}}]",
            ["2/2", "Running", "0"],
        ),
        (
            "  containerStatuses: [{name: a, ready: true, state: {running: {}}}, {name: b, restartCount: 3, "
            "state: {waiting: {reason: CrashLoopBackOff}}, "
            "lastState: {terminated: {exitCode: 1, finishedAt: '2026-01-01T11:58:00Z'}}}]",
            ["1/2", "CrashLoopBackOff", "3 (2m ago)"],
        ),
        (
            "  initContainerStatuses: [{name: i, state: {terminated: {exitCode: 2}}}]",
            ["0/2", "Init:ExitCode:2", "0"],
        ),
        ("  initContainerStatuses: [{name: i, state: {running: {}}}]", ["0/2", "Init:0/0", "0"]),
        (
            "  containerStatuses: [{name: a, state: {terminated: {exitCode: 0, reason: Completed}}}, "
            "{name: b, ready: true, state: {running: {}}}]",
            ["1/2", "NotReady", "0"],
        ),
        (
            "  containerStatuses: [{name: a, state: {terminated: {exitCode: 137, signal: 9}}}]",
            ["0/2", "Signal:9", "0"],
        ),
        ("  reason: Evicted", ["0/2", "Evicted", "0"]),
        ("  conditions: [{type: PodScheduled, reason: SchedulingGated}]", ["0/2", "SchedulingGated", "0"]),
    ],
)
def test_pods(status: str, expected: list[str]) -> None:
    assert cells(core_v1.Pod, POD + status) == [
        "web",
        *expected,
        "5m",
        "10.0.0.1",
        "n1",
        "<none>",
        "<none>",
    ]


def test_a_pod_that_is_being_deleted() -> None:
    text = POD.replace("name: web", "name: web, deletionTimestamp: '2026-01-01T11:59:00Z'")
    assert cells(core_v1.Pod, text)[2] == "Terminating"
    assert cells(core_v1.Pod, text.replace("Running", "Succeeded"))[2] == "Succeeded"


def test_a_sidecar_counts_as_a_container() -> None:
    text = """
    metadata: {name: web}
    spec:
      initContainers: [{name: side, restartPolicy: Always}]
      containers: [{name: a}]
    status:
      phase: Running
      initContainerStatuses: [{name: side, ready: true, started: true, restartCount: 2, state: {running: {}}}]
      containerStatuses: [{name: a, ready: true, restartCount: 1, state: {running: {}}}]
    """
    assert cells(core_v1.Pod, text)[1:4] == ["2/2", "Running", "3"]


def test_nodes() -> None:
    text = """
    metadata: {name: n1, labels: {node-role.kubernetes.io/control-plane: "", kubernetes.io/role: extra}}
    spec: {unschedulable: true}
    status:
      conditions: [{type: Ready, status: "True"}]
      addresses: [{type: InternalIP, address: 10.0.0.1}, {type: InternalIP, address: fd00::1}]
      nodeInfo: {kubeletVersion: v1.35.0, osImage: Debian, kernelVersion: "6.1", containerRuntimeVersion: containerd://1}
    """
    assert cells(core_v1.Node, text) == [
        "n1",
        "Ready,SchedulingDisabled",
        "control-plane,extra",
        "5m",
        "v1.35.0",
        "10.0.0.1",
        "<none>",
        "Debian",
        "6.1",
        "containerd://1",
    ]


def test_services() -> None:
    text = """
    metadata: {name: web}
    spec:
      type: NodePort
      clusterIP: 10.96.0.5
      selector: {b: c, a: b}
      ports: [{port: 80, nodePort: 30080, protocol: TCP}, {port: 53, protocol: UDP}]
    """
    assert cells(core_v1.Service, text) == [
        "web",
        "NodePort",
        "10.96.0.5",
        "<none>",
        "80:30080/TCP,53/UDP",
        "5m",
        "a=b,b=c",
    ]


def test_endpoints_show_three() -> None:
    addresses = "[{ip: 1.1.1.1}, {ip: 1.1.1.2}, {ip: 1.1.1.3}, {ip: 1.1.1.4}]"
    text = f"metadata: {{name: web}}\nsubsets: [{{addresses: {addresses}, ports: [{{port: 80}}]}}]"
    assert cells(core_v1.Endpoints, text)[1] == "1.1.1.1:80,1.1.1.2:80,1.1.1.3:80 + 1 more..."


@pytest.mark.parametrize(
    ("type_", "text", "expected"),
    [
        (
            core_v1.Service,
            """
            spec: {type: LoadBalancer, clusterIPs: [10.0.0.1], ports: [{port: 80, protocol: TCP}],
              externalIPs: [9.9.9.9]}
            status: {loadBalancer: {ingress: [{ip: 2.2.2.2}, {hostname: a.example}, {ip: 1.1.1.1}, {ip: 2.2.2.2}]}}
            """,
            ["LoadBalancer", "10.0.0.1", "1.1.1.1,2.2.2.2,a.example,9.9.9.9", "80/TCP", "5m", "<none>"],
        ),
        (
            networking_v1.Ingress,
            "spec: {tls: [{}], rules: [{host: a}, {}, {host: b}, {host: c}, {host: d}]}",
            ["<none>", "a,b,c + 2 more...", "", "80, 443", "5m"],
        ),
        (networking_v1.Ingress, "spec: {rules: [{}]}", ["<none>", "*", "", "80", "5m"]),
        (
            networking_v1.IPAddress,
            "spec: {parentRef: {group: gateway.example, resource: Gateways, name: g}}",
            ["gateways.gateway.example/g", "5m"],
        ),
        (
            autoscaling_v2.HorizontalPodAutoscaler,
            """
            spec:
              maxReplicas: 3
              scaleTargetRef: {kind: Deployment, name: web}
              metrics:
              - {type: Resource, resource: {name: cpu, target: {type: Utilization}}}
              - {type: External, external: {metric: {name: m}, target: {type: AverageValue, averageValue: "5"}}}
              - {type: Pods, pods: {metric: {name: m}, target: {type: AverageValue, averageValue: "5"}}}
            status:
              currentReplicas: 2
              currentMetrics: [{type: Resource, resource: {name: cpu, current: {averageUtilization: 7}}}]
            """,
            ["Deployment/web", "cpu: 7%/<auto>, <unknown>/5 (avg) + 1 more...", "<unset>", 3, 2, "5m"],
        ),
        (
            certificates_v1.CertificateSigningRequest,
            """
            spec: {signerName: s, username: u, expirationSeconds: 3600}
            status: {certificate: eA==, conditions: [{type: Failed}, {type: Approved}, {type: Denied}]}
            """,
            ["5m", "s", "u", "60m", "Denied,Failed,Issued"],
        ),
        (
            flowcontrol_v1.PriorityLevelConfiguration,
            "spec: {type: Exempt, exempt: {nominalConcurrencyShares: 5}}",
            ["Exempt", "<none>", "<none>", "<none>", "<none>", "5m"],
        ),
        (
            core_v1.ResourceQuota,
            "status: {hard: {limits.cpu: '2', limits: '1', pods: '3'}, used: {pods: '1'}}",
            ["limits: 0/1, pods: 1/3", "limits.cpu: 0/2", "5m"],
        ),
        (
            core_v1.Event,
            """
            involvedObject: {kind: Pod, name: p}
            eventTime: "2026-01-01T11:58:00.000000Z"
            series: {count: 4, lastObservedTime: "2026-01-01T11:59:00.000000Z"}
            reportingComponent: c
            reportingInstance: i
            """,
            ["60s", "", "", "pod/p", "", "c, i", "", "2m", 4, "x"],
        ),
    ],
)
def test_cells(type_: type[Any], text: str, expected: list[Any]) -> None:
    found = cells(type_, f"metadata: {{name: x}}\n{textwrap.dedent(text)}")
    assert found == expected if type_ is core_v1.Event else found == ["x", *expected]


def test_pods_that_are_done_are_completed_rows() -> None:
    resource = builtin_scheme().for_type(core_v1.Pod)
    for phase, reason in (("Running", None), ("Succeeded", "Succeeded"), ("Failed", "Failed")):
        pod = codecs.from_builtins(core_v1.Pod, load_yaml(POD.replace("Running", phase)))
        found = [(each.type, each.status, each.reason) for each in tables.row(resource, pod, NOW).conditions]
        assert found == ([("Completed", "True", reason)] if reason else [])


def test_flow_schemas_are_shown_by_precedence() -> None:
    resource = builtin_scheme().for_type(flowcontrol_v1.FlowSchema)
    schemas = []
    for name, precedence in (("a", 9), ("c", 1), ("b", 1)):
        schema = flowcontrol_v1.FlowSchema()
        schema.metadata.name, schema.spec.matching_precedence = name, precedence
        schemas.append(schema)
    assert [row.cells[0] for row in tables.table(resource, schemas, NOW).rows] == ["b", "c", "a"]


def test_jobs() -> None:
    text = """
    metadata: {name: once}
    spec: {completions: 2}
    status: {succeeded: 1, startTime: "2026-01-01T11:59:30Z", conditions: [{type: Complete, status: "True"}]}
    """
    assert cells(batch_v1.Job, text)[:5] == ["once", "Complete", "1/2", "30s", "5m"]


@pytest.mark.parametrize("resource", TABLE, ids=lambda resource: f"{resource.group_version}-{resource.name}")
def test_every_kind_has_a_cell_for_each_column(resource: Any) -> None:
    obj = resource.type()
    obj.metadata.name = "x"
    for stage in (lambda: None, lambda: apply_defaults(obj)):
        stage()
        table = tables.table(resource, [obj], NOW)
        assert len(table.rows[0].cells) == len(table.column_definitions)
        codecs.encode(table)


def test_rows_carry_what_was_asked_for() -> None:
    resource = builtin_scheme().for_type(core_v1.Pod)
    pod = codecs.from_builtins(core_v1.Pod, load_yaml(POD))
    assert tables.row(resource, pod, NOW, "None").object is None
    assert tables.row(resource, pod, NOW, "Object").object is pod
    partial = tables.row(resource, pod, NOW).object
    assert partial.kind == "PartialObjectMetadata"
    assert partial.metadata.name == "web"
