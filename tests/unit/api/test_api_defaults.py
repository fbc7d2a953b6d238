from __future__ import annotations

from typing import Any

import pytest

from steersman.api import codecs
from steersman.api.defaults import apply_defaults
from steersman.api.defaults.core import pull_policy
from steersman.api.normalize import normalize
from steersman.api.resources import TABLE
from steersman.api.types import apps_v1, autoscaling_v2, batch_v1, core_v1, meta_v1, networking_v1, rbac_v1
from steersman.api.yaml import load_yaml


def defaulted(type_: type[Any], text: str) -> Any:
    obj = codecs.from_builtins(type_, load_yaml(text))
    apply_defaults(obj)
    return obj


@pytest.mark.parametrize("resource", TABLE, ids=lambda resource: f"{resource.group_version}-{resource.name}")
def test_defaults_and_normal_forms_are_reached_at_once(resource: Any) -> None:
    obj = resource.type()
    apply_defaults(obj)
    normalize(obj)
    once = codecs.encode(obj)
    apply_defaults(obj)
    normalize(obj)
    assert codecs.encode(obj) == once


def test_a_deployment_and_its_template() -> None:
    deployment = defaulted(
        apps_v1.Deployment,
        """
        metadata: {name: web}
        spec:
          selector: {matchLabels: {app: web}}
          template:
            metadata: {labels: {app: web}}
            spec:
              containers:
              - name: web
                image: nginx:1.27
                ports: [{containerPort: 80}]
                readinessProbe: {httpGet: {port: 80}}
                env: [{name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]
                resources: {limits: {cpu: 1}}
              volumes: [{name: scratch}, {name: config, configMap: {name: web}}]
        """,
    )
    assert codecs.to_builtins(deployment)["spec"] == {
        "progressDeadlineSeconds": 600,
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "selector": {"matchLabels": {"app": "web"}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [
                    {
                        "env": [
                            {"name": "IP", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}}
                        ],
                        "image": "nginx:1.27",
                        "imagePullPolicy": "IfNotPresent",
                        "name": "web",
                        "ports": [{"containerPort": 80, "protocol": "TCP"}],
                        "readinessProbe": {
                            "failureThreshold": 3,
                            "httpGet": {"path": "/", "port": 80, "scheme": "HTTP"},
                            "periodSeconds": 10,
                            "successThreshold": 1,
                            "timeoutSeconds": 1,
                        },
                        "resources": {"limits": {"cpu": "1"}},
                        "terminationMessagePath": "/dev/termination-log",
                        "terminationMessagePolicy": "File",
                    }
                ],
                "dnsPolicy": "ClusterFirst",
                "restartPolicy": "Always",
                "schedulerName": "default-scheduler",
                "securityContext": {},
                "terminationGracePeriodSeconds": 30,
                "volumes": [
                    {"emptyDir": {}, "name": "scratch"},
                    {"configMap": {"defaultMode": 420, "name": "web"}, "name": "config"},
                ],
            },
        },
    }


def test_a_pod_has_more_than_a_template() -> None:
    pod = defaulted(
        core_v1.Pod,
        """
        spec:
          hostNetwork: true
          serviceAccount: robot
          containers:
          - name: a
            image: a
            ports: [{containerPort: 80}]
            resources: {limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 500m}}
        """,
    )
    container = pod.spec.containers[0]
    assert container.resources.requests == {"cpu": "500m", "memory": "1Gi"}
    assert container.ports[0].host_port == 80
    assert pod.spec.enable_service_links is True
    assert pod.spec.service_account_name == pod.spec.service_account == "robot"


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("busybox", "Always"),
        ("busybox:latest", "Always"),
        ("busybox:1.36", "IfNotPresent"),
        ("localhost:5000/busybox", "Always"),
        ("localhost:5000/busybox:1", "IfNotPresent"),
        ("busybox@sha256:" + "0" * 64, "IfNotPresent"),
        ("busybox:latest@sha256:" + "0" * 64, "IfNotPresent"),
    ],
)
def test_pull_policy(image: str, policy: str) -> None:
    assert pull_policy(image) == policy


def test_services() -> None:
    service = defaulted(core_v1.Service, "spec: {type: NodePort, ports: [{port: 80}, {port: 81, targetPort: http}]}")
    assert service.spec.session_affinity == "None"
    assert service.spec.external_traffic_policy == service.spec.internal_traffic_policy == "Cluster"
    assert [(port.protocol, port.target_port) for port in service.spec.ports] == [("TCP", 80), ("TCP", "http")]
    sticky = defaulted(core_v1.Service, "spec: {sessionAffinity: ClientIP}")
    assert sticky.spec.type == "ClusterIP"
    assert sticky.spec.session_affinity_config.client_ip.timeout_seconds == 10800


def test_jobs() -> None:
    job = defaulted(batch_v1.Job, "spec: {template: {metadata: {labels: {a: b}}}}")
    assert (job.spec.completions, job.spec.parallelism, job.spec.backoff_limit) == (1, 1, 6)
    assert (job.spec.completion_mode, job.spec.suspend, job.spec.pod_replacement_policy) == (
        "NonIndexed",
        False,
        "TerminatingOrFailed",
    )
    assert job.metadata.labels == {"a": "b"}
    assert defaulted(batch_v1.Job, "spec: {parallelism: 3}").spec.completions is None


def test_the_rest_in_a_sentence_each() -> None:
    assert defaulted(core_v1.Namespace, "metadata: {name: a}").metadata.labels == {"kubernetes.io/metadata.name": "a"}
    assert defaulted(networking_v1.NetworkPolicy, "spec: {egress: [{}]}").spec.policy_types == ["Ingress", "Egress"]
    assert defaulted(networking_v1.NetworkPolicy, "{}").spec.pod_selector == meta_v1.LabelSelector()
    binding = defaulted(rbac_v1.RoleBinding, "subjects: [{kind: User, name: a}, {kind: ServiceAccount, name: b}]")
    assert [subject.api_group for subject in binding.subjects] == ["rbac.authorization.k8s.io", ""]
    autoscaler = defaulted(autoscaling_v2.HorizontalPodAutoscaler, "spec: {behavior: {scaleUp: {}}}")
    assert autoscaler.spec.metrics[0].resource.target.average_utilization == 80
    assert [policy.type for policy in autoscaler.spec.behavior.scale_up.policies] == ["Pods", "Percent"]
    limits = defaulted(core_v1.LimitRange, "spec: {limits: [{type: Container, max: {cpu: 2}, min: {memory: 1Mi}}]}")
    assert limits.spec.limits[0].default_request == {"cpu": "2", "memory": "1Mi"}
