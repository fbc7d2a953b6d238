"""A minimal valid object of every kind that is stored, and what makes each invalid.

``TABLE`` has a row per resource and stored version: its text (YAML), a change of it that is refused, the path that is
then named, and the status that is written where the kind has one.
"""

from __future__ import annotations

import base64
import json
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from steersman.api import codecs
from steersman.api.scheme import Resource
from steersman.api.yaml import load_yaml

from .conftest import KEY, certificate, pkcs10

POD = "containers: [{name: c, image: i}]"
WORKLOAD = f"{{selector: {{matchLabels: {{a: b}}}}, template: {{metadata: {{labels: {{a: b}}}}, spec: {{{POD}}}}}}}"
JOB = f"{{template: {{spec: {{restartPolicy: Never, {POD}}}}}}}"
RULE = "{operations: [CREATE], apiGroups: [''], apiVersions: [v1], resources: [pods]}"
MATCH = f"matchConstraints: {{resourceRules: [{RULE}]}}"
HOOK = (
    "{name: a.example.com, sideEffects: None, admissionReviewVersions: [v1], "
    "clientConfig: {service: {name: s, namespace: default}}}"
)
MUTATION = '{patchType: JSONPatch, jsonPatch: {expression: \'[JSONPatch{op: "test", path: "/a"}]\'}}'


class Row(NamedTuple):
    """One kind.  Texts are what stands beside ``metadata``."""

    text: str
    wrong: str
    path: str
    name: str = "x"
    status: str = ""


TABLE: dict[str, Row] = {
    "v1/configmaps": Row("data: {a: b}", "data: {'/': b}", "data[/]"),
    "v1/endpoints": Row("", "subsets: [{addresses: [{ip: x}]}]", "subsets[0].addresses[0].ip"),
    "v1/events": Row(
        "involvedObject: {namespace: default}", "involvedObject: {namespace: other}", "involvedObject.namespace"
    ),
    "v1/limitranges": Row("spec: {limits: []}", "spec: {limits: [{type: '?'}]}", "spec.limits[0].type"),
    "v1/namespaces": Row(
        "",
        "metadata: {labels: {'/': ''}}",
        "metadata.labels",
        status="{phase: Active, conditions: [{type: A, status: 'True'}]}",
    ),
    "v1/nodes": Row(
        "", "spec: {taints: [{key: '?', effect: NoSchedule}]}", "metadata.taints[0].key", status="phase: Running"
    ),
    "v1/persistentvolumeclaims": Row(
        "spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}",
        "spec: {resources: {requests: {storage: 1Gi}}}",
        "spec.accessModes",
        status="phase: Bound",
    ),
    "v1/persistentvolumes": Row(
        "spec: {accessModes: [ReadWriteOnce], capacity: {storage: 1Gi}, hostPath: {path: /a}}",
        "spec: {accessModes: [ReadWriteOnce], capacity: {storage: 1Gi}}",
        "spec",
        status="phase: Available",
    ),
    "v1/pods": Row(
        f"spec: {{{POD}}}",
        "spec: {containers: [{name: C, image: i}]}",
        "spec.containers[0].name",
        status="phase: Running",
    ),
    "v1/podtemplates": Row(f"template: {{spec: {{{POD}}}}}", "template: {spec: {}}", "template.spec.containers"),
    "v1/replicationcontrollers": Row(
        f"spec: {{selector: {{a: b}}, template: {{metadata: {{labels: {{a: b}}}}, spec: {{{POD}}}}}}}",
        f"spec: {{selector: {{a: c}}, template: {{metadata: {{labels: {{a: b}}}}, spec: {{{POD}}}}}}}",
        "spec.template.metadata.labels",
        status="replicas: 1",
    ),
    "v1/resourcequotas": Row(
        "spec: {hard: {pods: 1}}", "spec: {hard: {pods: -1}}", "spec.hard[pods]", status="used: {pods: 1}"
    ),
    "v1/secrets": Row("data: {a: Yg==}", "data: {'/': Yg==}", "data[/]"),
    "v1/serviceaccounts": Row("", "metadata: {labels: {'/': ''}}", "metadata.labels"),
    "v1/services": Row(
        "spec: {ports: [{port: 80}]}",
        "spec: {ports: [{port: 0}]}",
        "spec.ports[0].port",
        status="conditions: [{type: A, status: 'True', reason: A, lastTransitionTime: '2026-01-01T00:00:00Z'}]",
    ),
    "admissionregistration.k8s.io/v1/mutatingwebhookconfigurations": Row(
        f"webhooks: [{HOOK}]", f"webhooks: [{HOOK.replace('a.example.com', 'a')}]", "webhooks[0].name"
    ),
    "admissionregistration.k8s.io/v1/validatingadmissionpolicies": Row(
        f"spec: {{{MATCH}, validations: [{{expression: 'true'}}]}}",
        f"spec: {{{MATCH}}}",
        "spec.validations",
        status="observedGeneration: 1",
    ),
    "admissionregistration.k8s.io/v1/validatingadmissionpolicybindings": Row(
        "spec: {policyName: p, validationActions: [Deny]}", "spec: {policyName: p}", "spec.validationActions"
    ),
    "admissionregistration.k8s.io/v1/validatingwebhookconfigurations": Row(
        f"webhooks: [{HOOK}]", f"webhooks: [{HOOK.replace('[v1]', '[]')}]", "webhooks[0].admissionReviewVersions"
    ),
    "admissionregistration.k8s.io/v1beta1/mutatingadmissionpolicies": Row(
        f"spec: {{{MATCH}, mutations: [{MUTATION}]}}", f"spec: {{{MATCH}}}", "spec.mutations"
    ),
    "admissionregistration.k8s.io/v1beta1/mutatingadmissionpolicybindings": Row(
        "spec: {policyName: p}", "spec: {}", "spec.policyName"
    ),
    "apiextensions.k8s.io/v1/customresourcedefinitions": Row(
        "spec: {group: g.example.com, scope: Namespaced, names: {plural: xs, kind: X}, versions: "
        "[{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]}",
        "spec: {group: g.example.com, scope: Namespaced, names: {plural: xs, kind: X}, versions: "
        "[{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {properties: {a: {}}}}}]}",
        "spec.validation.openAPIV3Schema.properties[a].type",
        name="xs.g.example.com",
        status="{acceptedNames: {plural: xs, kind: X}, storedVersions: [v1]}",
    ),
    "apiregistration.k8s.io/v1/apiservices": Row(
        "spec: {group: g.example.com, version: v1, groupPriorityMinimum: 100, versionPriority: 10}",
        "spec: {group: g.example.com, version: v1, groupPriorityMinimum: 0, versionPriority: 10}",
        "spec.groupPriorityMinimum",
        name="v1.g.example.com",
        status="conditions: [{type: Available, status: 'False'}]",
    ),
    "apps/v1/controllerrevisions": Row("{data: {a: 1}, revision: 1}", "revision: 1", "data"),
    "apps/v1/daemonsets": Row(
        f"spec: {WORKLOAD}",
        f"spec: {WORKLOAD.replace('a: b', 'a: c', 1)}",
        "spec.template.metadata.labels",
        status="numberReady: 1",
    ),
    "apps/v1/deployments": Row(
        f"spec: {WORKLOAD}", f"spec: {WORKLOAD[:-1]}, replicas: -1}}", "spec.replicas", status="replicas: 1"
    ),
    "apps/v1/replicasets": Row(
        f"spec: {WORKLOAD}",
        f"spec: {WORKLOAD[:-1]}, minReadySeconds: -1}}",
        "spec.minReadySeconds",
        status="replicas: 1",
    ),
    "apps/v1/statefulsets": Row(
        f"spec: {WORKLOAD}",
        f"spec: {WORKLOAD[:-1]}, ordinals: {{start: -1}}}}",
        "spec.ordinals.start",
        status="replicas: 1",
    ),
    "autoscaling/v2/horizontalpodautoscalers": Row(
        "spec: {maxReplicas: 2, scaleTargetRef: {kind: Deployment, name: d}}",
        "spec: {maxReplicas: 0, scaleTargetRef: {kind: Deployment, name: d}}",
        "spec.maxReplicas",
        status="currentReplicas: 1",
    ),
    "batch/v1/cronjobs": Row(
        f"spec: {{schedule: '* * * * *', jobTemplate: {{spec: {JOB}}}}}",
        f"spec: {{schedule: '* * * *', jobTemplate: {{spec: {JOB}}}}}",
        "spec.schedule",
        status="lastScheduleTime: '2026-01-01T00:00:00Z'",
    ),
    "batch/v1/jobs": Row(
        f"spec: {JOB}", f"spec: {JOB[:-1]}, parallelism: -1}}", "spec.parallelism", status="active: 1"
    ),
    "certificates.k8s.io/v1/certificatesigningrequests": Row(
        "spec: {request: @CSR@, signerName: example.com/s, usages: [client auth]}",
        "spec: {request: @CSR@, signerName: s, usages: [client auth]}",
        "spec.signerName",
        status="conditions: [{type: Failed, status: 'True'}]",
    ),
    **{
        f"certificates.k8s.io/{version}/clustertrustbundles": Row(
            "spec: {trustBundle: @CA@}", "spec: {trustBundle: ''}", "spec.trustBundle"
        )
        for version in ("v1alpha1", "v1beta1")
    },
    "certificates.k8s.io/v1beta1/podcertificaterequests": Row(
        "spec: @PCR@",
        "spec: {}",
        "spec.signerName",
        status="conditions: [{type: Denied, status: 'True', reason: No1, lastTransitionTime: '2026-01-01T00:00:00Z'}]",
    ),
    "coordination.k8s.io/v1/leases": Row(
        "spec: {leaseDurationSeconds: 1}", "spec: {leaseDurationSeconds: 0}", "spec.leaseDurationSeconds"
    ),
    **{
        f"coordination.k8s.io/{version}/leasecandidates": Row(
            "spec: {leaseName: l, binaryVersion: 1.2.3, emulationVersion: 1.2.3, strategy: OldestEmulationVersion}",
            "spec: {leaseName: l, binaryVersion: '1', emulationVersion: 1.2.3, strategy: OldestEmulationVersion}",
            "spec.binaryVersion",
        )
        for version in ("v1alpha2", "v1beta1")
    },
    "discovery.k8s.io/v1/endpointslices": Row(
        "{addressType: IPv4, endpoints: [{addresses: [192.0.2.1]}]}",
        "{addressType: IPv4, endpoints: [{addresses: ['::1']}]}",
        "endpoints[0].addresses[0]",
    ),
    "flowcontrol.apiserver.k8s.io/v1/flowschemas": Row(
        "spec: {priorityLevelConfiguration: {name: p}}",
        "spec: {}",
        "spec.priorityLevelConfiguration.name",
        status="conditions: [{type: Dangling, status: 'True'}]",
    ),
    "flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations": Row(
        "spec: {type: Limited, limited: {limitResponse: {type: Reject}}}",
        "spec: {type: Limited}",
        "spec.limited",
        status="conditions: [{type: A, status: 'True'}]",
    ),
    "internal.apiserver.k8s.io/v1alpha1/storageversions": Row(
        "spec: {}",
        "metadata: {labels: {'/': ''}}",
        "metadata.labels",
        name="apps.deployments",
        status="{commonEncodingVersion: v1, "
        "storageVersions: [{apiServerID: a, encodingVersion: v1, decodableVersions: [v1]}]}",
    ),
    "networking.k8s.io/v1/ingressclasses": Row("spec: {controller: a.b/c}", "spec: {controller: a}", "spec.controller"),
    "networking.k8s.io/v1/ingresses": Row(
        "spec: {defaultBackend: {service: {name: s, port: {number: 80}}}}",
        "spec: {}",
        "spec",
        status="loadBalancer: {ingress: [{ip: 192.0.2.1}]}",
    ),
    "networking.k8s.io/v1/ipaddresses": Row(
        "spec: {parentRef: {resource: services, name: s}}",
        "spec: {parentRef: {name: s}}",
        "spec.parentRef.resource",
        name="192.0.2.9",
    ),
    "networking.k8s.io/v1/networkpolicies": Row(
        "spec: {podSelector: {}}", "spec: {podSelector: {}, policyTypes: [Inward]}", "spec.policyTypes[0]"
    ),
    "networking.k8s.io/v1/servicecidrs": Row(
        "spec: {cidrs: [192.0.2.0/24]}",
        "spec: {}",
        "spec.cidrs",
        status="conditions: [{type: Ready, status: 'True', reason: A, lastTransitionTime: '2026-01-01T00:00:00Z'}]",
    ),
    "node.k8s.io/v1/runtimeclasses": Row("handler: h", "handler: H", "handler"),
    "policy/v1/poddisruptionbudgets": Row(
        "spec: {minAvailable: 1}", "spec: {minAvailable: 101%}", "spec.minAvailable", status="expectedPods: 1"
    ),
    "rbac.authorization.k8s.io/v1/clusterrolebindings": Row(
        "roleRef: {kind: ClusterRole, name: r}", "roleRef: {kind: Role, name: r}", "roleRef.kind"
    ),
    "rbac.authorization.k8s.io/v1/clusterroles": Row(
        "rules: []", "rules: [{apiGroups: [a], resources: [b]}]", "rules[0].verbs"
    ),
    "rbac.authorization.k8s.io/v1/rolebindings": Row(
        "roleRef: {kind: Role, name: r}",
        "{roleRef: {kind: Role, name: r}, subjects: [{kind: X, name: u}]}",
        "subjects[0].kind",
    ),
    "rbac.authorization.k8s.io/v1/roles": Row(
        "rules: []", "rules: [{nonResourceURLs: [/a], verbs: [get]}]", "rules[0].nonResourceURLs"
    ),
    "resource.k8s.io/v1/deviceclasses": Row("spec: {}", "spec: {selectors: [{}]}", "spec.selectors[0].cel"),
    "resource.k8s.io/v1/resourceclaims": Row(
        "spec: {devices: {requests: [{name: r, exactly: {deviceClassName: c}}]}}",
        "spec: {devices: {requests: [{name: r}]}}",
        "spec.devices.requests[0]",
        status="allocation: {devices: {results: [{request: r, driver: d.example.com, pool: p, device: d}]}}",
    ),
    "resource.k8s.io/v1/resourceclaimtemplates": Row(
        "spec: {spec: {}}", "spec: {spec: {devices: {constraints: [{}]}}}", "spec.spec.devices.constraints[0]"
    ),
    "resource.k8s.io/v1/resourceslices": Row(
        "spec: {driver: d.example.com, nodeName: node, pool: {name: p, resourceSliceCount: 1}, devices: [{name: d}]}",
        "spec: {driver: d.example.com, pool: {name: p, resourceSliceCount: 1}}",
        "spec",
    ),
    "resource.k8s.io/v1alpha3/devicetaintrules": Row(
        "spec: {taint: {key: a, effect: NoExecute}}",
        "spec: {taint: {key: a}}",
        "spec.taint.effect",
        status="conditions: [{type: A, status: 'True', reason: A, lastTransitionTime: '2026-01-01T00:00:00Z'}]",
    ),
    "scheduling.k8s.io/v1/priorityclasses": Row("value: 1", "value: 1000000001", "value"),
    "scheduling.k8s.io/v1alpha1/workloads": Row(
        "spec: {podGroups: [{name: g, policy: {gang: {minCount: 1}}}]}",
        "spec: {podGroups: [{name: g, policy: {gang: {minCount: 0}}}]}",
        "spec.podGroups[0].policy.gang.minCount",
    ),
    "storage.k8s.io/v1/csidrivers": Row("spec: {}", "spec: {fsGroupPolicy: X}", "spec.fsGroupPolicy"),
    "storage.k8s.io/v1/csinodes": Row("spec: {drivers: []}", "spec: {drivers: [{name: d}]}", "spec.drivers[0].nodeID"),
    "storage.k8s.io/v1/csistoragecapacities": Row(
        "storageClassName: s", "{storageClassName: s, capacity: '-1'}", "capacity"
    ),
    "storage.k8s.io/v1/storageclasses": Row(
        "provisioner: p", "{provisioner: p, reclaimPolicy: Recycle}", "reclaimPolicy"
    ),
    "storage.k8s.io/v1/volumeattachments": Row(
        "spec: {attacher: a, nodeName: node, source: {persistentVolumeName: v}}",
        "spec: {attacher: a, nodeName: node, source: {}}",
        "spec.source",
        status="attached: true",
    ),
    "storage.k8s.io/v1/volumeattributesclasses": Row(
        "{driverName: d, parameters: {a: b}}", "driverName: d", "parameters"
    ),
    "storagemigration.k8s.io/v1beta1/storageversionmigrations": Row(
        "spec: {resource: {group: apps, resource: deployments}}",
        "spec: {resource: {group: apps}}",
        "spec.resource.resource",
        status="resourceVersion: '7'",
    ),
}


def build(resource: Resource[Any], row: Row, text: str) -> Any:
    """An object from a text of the table."""
    tree: Any = load_yaml(_filled(text)) if text else {}
    given = tree.pop("metadata", {})
    obj = codecs.from_builtins(resource.type, tree)
    obj.metadata = codecs.from_builtins(type(obj.metadata), given)
    obj.metadata.name = row.name
    if resource.namespaced:
        obj.metadata.namespace = "default"
    return obj


def status(resource: Resource[Any], row: Row) -> Any:
    """The status that is written."""
    return codecs.from_builtins(type(resource.type().status), load_yaml(row.status))


def _filled(text: str) -> str:
    if "@PCR@" in text:
        uid = "11111111-1111-1111-1111-111111111111"
        public = KEY.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        spec = {
            "signerName": "example.com/s",
            "podName": "p",
            "podUID": uid,
            "serviceAccountName": "s",
            "serviceAccountUID": uid,
            "nodeName": "n",
            "nodeUID": uid,
            "pkixPublicKey": base64.b64encode(public).decode(),
            "proofOfPossession": base64.b64encode(KEY.sign(uid.encode(), ec.ECDSA(hashes.SHA256()))).decode(),
        }
        text = text.replace("@PCR@", json.dumps(spec))
    text = text.replace("@CSR@", base64.b64encode(pkcs10()).decode())
    return text.replace("@CA@", json.dumps(certificate(authority=True).decode()))
