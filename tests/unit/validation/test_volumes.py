"""One row for each rule of the volumes of pods."""

from __future__ import annotations

import pytest

from steersman.api.types import core_v1 as v1

from .grammars import LABEL, SUBDOMAIN
from .samples import POD, faults, relative

MODE = "must be a number between 0 and 0777 (octal), both inclusive"
ONE = "Forbidden: may not specify more than 1 volume type"
HOST_PATH_TYPES = '"", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"'
ISCSI = "targetPortal: a, lun: 0"
KEY_TYPES = '"RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"'

SOURCES = [
    ("emptyDir: {sizeLimit: -1}", ["emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity"]),
    ("hostPath: {path: ''}", ["hostPath.path: Required value"]),
    ("hostPath: {path: /a/../b}", ["hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"]),
    (
        "hostPath: {path: /a, type: Fifo}",
        [f'hostPath.type: Unsupported value: "Fifo": supported values: {HOST_PATH_TYPES}'],
    ),
    ("{emptyDir: {}, hostPath: {path: /a}}", [f"hostPath: {ONE}"]),
    ("{emptyDir: {}, downwardAPI: {}}", [f"downwarAPI: {ONE}"]),
    ("{emptyDir: {}, cephfs: {monitors: [a]}}", [f"cephFS: {ONE}"]),
    (
        "gitRepo: {repository: '', directory: /a}",
        [
            "gitRepo.repository: Required value",
            'gitRepo.directory: Invalid value: "/a": must be a relative path',
        ],
    ),
    (
        "gcePersistentDisk: {pdName: '', partition: 256}",
        [
            "persistentDisk.pdName: Required value",
            "persistentDisk.partition: Invalid value: 256: must be between 1 and 255, inclusive",
        ],
    ),
    (
        "awsElasticBlockStore: {volumeID: '', partition: -1}",
        [
            "awsElasticBlockStore.volumeID: Required value",
            "awsElasticBlockStore.partition: Invalid value: -1: must be between 1 and 255, inclusive",
        ],
    ),
    (
        "secret: {secretName: '', defaultMode: 512}",
        [
            "secret.secretName: Required value",
            f"secret.defaultMode: Invalid value: 512: {MODE}",
        ],
    ),
    (
        "secret: {secretName: s, items: [{key: '', path: '', mode: -1}]}",
        [
            "secret.items[0].key: Required value",
            "secret.items[0].path: Required value",
            f"secret.items[0].mode: Invalid value: -1: {MODE}",
        ],
    ),
    (
        "secret: {secretName: s, items: [{key: k, path: /p}]}",
        ['secret.items[0].path: Invalid value: "/p": must be a relative path'],
    ),
    (
        "secret: {secretName: s, items: [{key: k, path: a/../b}]}",
        ["secret.items[0].path: Invalid value: \"a/../b\": must not contain '..'"],
    ),
    (
        "secret: {secretName: s, items: [{key: k, path: ..data}]}",
        ["secret.items[0].path: Invalid value: \"..data\": must not start with '..'"],
    ),
    (
        "secret: {secretName: s, items: [{key: k, path: ../data}]}",
        ["secret.items[0].path: Invalid value: \"../data\": must not contain '..'"],
    ),
    (
        "configMap: {name: '', defaultMode: 1000}",
        [
            "configMap.name: Required value",
            f"configMap.defaultMode: Invalid value: 1000: {MODE}",
        ],
    ),
    (
        "nfs: {server: '', path: ''}",
        [
            "nfs.server: Required value",
            "nfs.path: Required value",
            'nfs.path: Invalid value: "": must be an absolute path',
        ],
    ),
    ("nfs: {server: s, path: a}", ['nfs.path: Invalid value: "a": must be an absolute path']),
    (
        "iscsi: {targetPortal: '', iqn: '', lun: 256, chapAuthSession: true}",
        [
            "iscsi.targetPortal: Required value",
            "iscsi.iqn: Required value",
            "iscsi.lun: Invalid value: 256: must be between 0 and 255, inclusive",
            "iscsi.secretRef: Required value",
        ],
    ),
    (
        f"iscsi: {{{ISCSI}, iqn: foo}}",
        ['iscsi.iqn: Invalid value: "foo": must be valid format starting with iqn, eui, or naa'],
    ),
    (f"iscsi: {{{ISCSI}, iqn: 'iqn.2015-02.example.com:test'}}", []),
    *(
        (f"iscsi: {{{ISCSI}, iqn: '{iqn}'}}", [f'iscsi.iqn: Invalid value: "{iqn}": must be valid format'])
        for iqn in (
            "iqn.2015-02.example.com",
            "eui.0123456789ABCDEG1",
            "naa.62004567BA64678D0123456789ABCDEF0",
        )
    ),
    (
        f"iscsi: {{{ISCSI}, iqn: 'iqn.2015-02.example.com:test', initiatorName: foo}}",
        ['iscsi.initiatorname: Invalid value: "foo": must be valid format starting with iqn, eui, or naa'],
    ),
    (
        f"iscsi: {{targetPortal: {'a' * 64}, lun: 0, iqn: 'iqn.2015-02.example.com:t', "
        "initiatorName: 'iqn.2015-02.example.com:i'}",
        [
            'name: Invalid value: "v": Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters '
            "if iscsi.initiatorName is specified."
        ],
    ),
    (
        "glusterfs: {endpoints: '', path: ''}",
        [
            "glusterfs.endpoints: Required value",
            "glusterfs.path: Required value",
        ],
    ),
    ("flocker: {}", ["flocker: Required value: one of datasetName and datasetUUID is required"]),
    (
        "flocker: {datasetName: a/b, datasetUUID: c}",
        [
            'flocker: Invalid value: "resource": datasetName and datasetUUID can not be specified simultaneously',
            "flocker.datasetName: Invalid value: \"a/b\": must not contain '/'",
        ],
    ),
    ("persistentVolumeClaim: {claimName: ''}", ["persistentVolumeClaim.claimName: Required value"]),
    ("rbd: {monitors: [], image: ''}", ["rbd.monitors: Required value", "rbd.image: Required value"]),
    (
        "cinder: {volumeID: '', secretRef: {name: ''}}",
        [
            "cinder.volumeID: Required value",
            "cinder.secretRef.name: Required value",
        ],
    ),
    ("cephfs: {monitors: []}", ["cephfs.monitors: Required value"]),
    (
        "quobyte: {registry: '', volume: ''}",
        [
            "quobyte.registry: Required value: must be a host:port pair or multiple pairs separated by commas",
            "quobyte.volume: Required value",
        ],
    ),
    (
        "quobyte: {registry: 'a:1,b', volume: v}",
        ['quobyte.registry: Invalid value: "a:1,b": must be a host:port pair or multiple pairs separated by commas'],
    ),
    (
        f"quobyte: {{registry: 'a:1', volume: v, tenant: {'t' * 65}}}",
        ["quobyte.tenant: Required value: must be a UUID and may not exceed a length of 64 characters"],
    ),
    ("fc: {}", ["fc.targetWWNs: Required value: must specify either targetWWNs or wwids, but not both"]),
    (
        "fc: {targetWWNs: [a], wwids: [b], lun: 1}",
        ['fc.targetWWNs: Invalid value: ["a"]: targetWWNs and wwids can not be specified simultaneously'],
    ),
    ("fc: {targetWWNs: [a]}", ["fc.lun: Required value: lun is required if targetWWNs is specified"]),
    ("fc: {targetWWNs: [a], lun: 256}", ["fc.lun: Invalid value: 256: must be between 0 and 255, inclusive"]),
    (
        "flexVolume: {driver: '', options: {a.kubernetes.io/b: c, k8s.io: d}}",
        [
            "flexVolume.driver: Required value",
            'flexVolume.options[a.kubernetes.io/b]: Invalid value: "a.kubernetes.io/b": kubernetes.io and k8s.io namespaces '
            "are reserved",
            'flexVolume.options[k8s.io]: Invalid value: "k8s.io": kubernetes.io and k8s.io namespaces are reserved',
        ],
    ),
    (
        "azureFile: {secretName: '', shareName: ''}",
        [
            "azureFile.secretName: Required value",
            "azureFile.shareName: Required value",
        ],
    ),
    (
        "azureDisk: {diskName: '', diskURI: '', cachingMode: Fast, kind: Own}",
        [
            "azureDisk.diskName: Required value",
            "azureDisk.diskURI: Required value",
            'azureDisk.cachingMode: Unsupported value: "Fast": supported values: "None", "ReadOnly", "ReadWrite"',
            'azureDisk.kind: Unsupported value: "Own": supported values: "Dedicated", "Managed", "Shared"',
            'azureDisk.diskURI: Unsupported value: "": supported values: '
            '"https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"',
        ],
    ),
    (
        "azureDisk: {diskName: a, diskURI: 'https://x', kind: Managed}",
        [
            'azureDisk.diskURI: Unsupported value: "https://x": supported values: '
            '"/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"'
        ],
    ),
    ("vsphereVolume: {volumePath: ''}", ["vsphereVolume.volumePath: Required value"]),
    ("photonPersistentDisk: {pdID: ''}", ["photonPersistentDisk.pdID: Required value"]),
    ("portworxVolume: {volumeID: ''}", ["portworxVolume.volumeID: Required value"]),
    (
        "scaleIO: {gateway: '', system: '', volumeName: '', secretRef: {name: s}}",
        [
            "scaleIO.gateway: Required value",
            "scaleIO.system: Required value",
            "scaleIO.volumeName: Required value",
        ],
    ),
    (
        "storageos: {volumeName: A, volumeNamespace: a.b, secretRef: {name: ''}}",
        [
            f'storageos.volumeName: Invalid value: "A": {LABEL}',
            'storageos.volumeNamespace: Invalid value: "a.b": must not contain dots',
            "storageos.secretRef.name: Required value",
        ],
    ),
    ("csi: {driver: ''}", ["csi.driver: Required value"]),
    (f"csi: {{driver: {'d' * 64}}}", ["csi.driver: Too long: may not be more than 63 bytes"]),
    ("csi: {driver: Some.Driver}", []),
    (
        "csi: {driver: d_, nodePublishSecretRef: {name: ''}}",
        [
            f'csi.driver: Invalid value: "d_": {SUBDOMAIN}',
            "csi.nodePublishSecretRef.name: Required value",
        ],
    ),
    ("ephemeral: {}", ["ephemeral.volumeClaimTemplate: Required value"]),
    (
        "ephemeral: {volumeClaimTemplate: {metadata: {name: m}, spec: {accessModes: [Sometimes]}}}",
        [
            "ephemeral.volumeClaimTemplate.metadata.name: Forbidden: cannot be set",
            'ephemeral.volumeClaimTemplate.spec.accessModes: Unsupported value: "Sometimes": supported values: '
            '"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"',
            "ephemeral.volumeClaimTemplate.spec.resources[storage]: Required value",
        ],
    ),
    ("image: {reference: ''}", ["image.reference: Required value"]),
    (
        "image: {reference: r, pullPolicy: Now}",
        ['image.pullPolicy: Unsupported value: "Now": supported values: "Always", "IfNotPresent", "Never"'],
    ),
    (
        "downwardAPI: {defaultMode: -1, items: [{path: a}]}",
        [
            f"downwardAPI.defaultMode: Invalid value: -1: {MODE}",
            "downwardAPI: Required value: one of fieldRef and resourceFieldRef is required",
        ],
    ),
    (
        "downwardAPI: {items: [{path: '', mode: 512, fieldRef: {fieldPath: metadata.name}, "
        "resourceFieldRef: {containerName: a, resource: limits.cpu}}]}",
        [
            "downwardAPI.path: Required value",
            'downwardAPI: Invalid value: "resource": fieldRef and resourceFieldRef can not be specified simultaneously',
            f"downwardAPI.mode: Invalid value: 512: {MODE}",
        ],
    ),
    (
        "downwardAPI: {items: [{path: a, fieldRef: {fieldPath: spec.nodeName}}]}",
        [
            'downwardAPI.fieldRef.fieldPath: Unsupported value: "spec.nodeName": supported values: '
            '"metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"'
        ],
    ),
    (
        "downwardAPI: {items: [{path: a, resourceFieldRef: {resource: limits.cpu}}]}",
        ["downwardAPI.resourceFieldRef.containerName: Required value"],
    ),
]
PROJECTED = [
    ("defaultMode: 512", [f"defaultMode: Invalid value: 512: {MODE}"]),
    ("sources: [{}]", []),
    ("sources: [{secret: {name: ''}}]", ["sources[0].secret.name: Required value"]),
    ("sources: [{configMap: {items: [{key: '', path: x}]}}]", [
        "sources[0].configMap.name: Required value",
        "sources[0].configMap.items[0].key: Required value",
    ]),
    ("sources: [{secret: {name: a}, configMap: {name: b}}]", [
        "sources[0]: Forbidden: may not specify more than 1 volume type per source"
    ]),
    (
        "sources: [{secret: {name: a, items: [{key: k, path: x}]}}, {configMap: {name: b, items: [{key: k, path: x}]}}]",
        [': Invalid value: "b": conflicting duplicate paths'],
    ),
    ("sources: [{downwardAPI: {items: [{path: /x, fieldRef: {fieldPath: metadata.name}}]}}]", [
        'sources[0].downwardAPI.path: Invalid value: "/x": must be a relative path'
    ]),
    ("sources: [{serviceAccountToken: {path: '', expirationSeconds: 599}}]", [
        "sources[0].serviceAccountToken.expirationSeconds: Invalid value: 599: may not specify a duration less than "
        "10 minutes",
        "path: Required value",
    ]),
    ("sources: [{serviceAccountToken: {path: ../x, expirationSeconds: 4294967297}}]", [
        "sources[0].serviceAccountToken.expirationSeconds: Invalid value: 4294967297: may not specify a duration larger "
        "than 2^32 seconds",
        "path: Invalid value: \"../x\": must not contain '..'",
    ]),
    ("sources: [{clusterTrustBundle: {path: x}}]", [
        "sources[0].clusterTrustBundle: Required value: either name or signerName must be specified"
    ]),
    ("sources: [{clusterTrustBundle: {name: a, signerName: e.com/s, path: x}}]", [
        'sources[0].clusterTrustBundle: Invalid value: {"name":"a","signerName":"e.com/s","path":"x"}: only one of name '
        "and signerName may be used"
    ]),
    ("sources: [{clusterTrustBundle: {name: A, labelSelector: {matchLabels: {a: b}}}}]", [
        f'sources[0].clusterTrustBundle.name: Invalid value: "A": not a valid clustertrustbundlename: {SUBDOMAIN}',
        'sources[0].clusterTrustBundle.labelSelector: Invalid value: {"matchLabels":{"a":"b"}}: labelSelector must be '
        "unset if name is specified",
        "sources[0].clusterTrustBundle.path: Required value",
    ]),
    ("sources: [{clusterTrustBundle: {signerName: nope, path: x}}]", [
        'sources[0].clusterTrustBundle.signerName: Invalid value: "nope": must be a fully qualified domain and path of '
        "the form 'example.com/signer-name'"
    ]),
    ("sources: [{clusterTrustBundle: {signerName: com/s, path: x}}]", [
        'sources[0].clusterTrustBundle.signerName: Invalid value: "com": should be a domain with at least two segments '
        "separated by dots"
    ]),
    ("sources: [{podCertificate: {signerName: e.com/s, keyType: DSA}}]", [
        f'sources[0].podCertificate.keyType: Unsupported value: "DSA": supported values: {KEY_TYPES}',
        "sources[0].podCertificate: Required value: specify at least one of credentialBundlePath, keyPath, and "
        "certificateChainPath",
    ]),
    (
        "sources: [{podCertificate: {signerName: kubernetes.io/s, keyType: ED25519, keyPath: k, "
        "maxExpirationSeconds: 86401, userAnnotations: {a: b}}}]",
        [
            'sources[0].podCertificate.userAnnotations: Invalid value: "a": must be a domain-prefixed key (such as '
            '"acme.io/foo")',
            "sources[0].podCertificate.maxExpirationSeconds: Invalid value: 86401: if provided, maxExpirationSeconds must "
            "be <= 86400",
        ],
    ),
    (
        "sources: [{podCertificate: {signerName: e.com/s, keyType: ED25519, keyPath: k, certificateChainPath: k, "
        "maxExpirationSeconds: 60}}]",
        [
            "sources[0].podCertificate.maxExpirationSeconds: Invalid value: 60: if provided, maxExpirationSeconds must "
            "be >= 3600",
            ': Invalid value: "k": conflicting duplicate paths',
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("source", "said"), SOURCES, ids=lambda value: str(value)[:60])
def test_what_is_said_of_a_source(source: str, said: list[str]) -> None:
    entries = source[1:-1] if source.startswith("{") else source
    found = faults(v1.Pod, POD, f"spec: {{volumes: [{{name: v, {entries}}}]}}")
    assert relative(found, "spec.volumes[0].") == said


@pytest.mark.parametrize(("projected", "said"), PROJECTED, ids=lambda value: str(value)[:60])
def test_what_is_said_of_projections(projected: str, said: list[str]) -> None:
    found = faults(v1.Pod, POD, f"spec: {{volumes: [{{name: v, projected: {{{projected}}}}}]}}")
    assert [fault.removeprefix("spec.volumes[0].projected").removeprefix(".") for fault in found] == said


EPHEMERAL = (
    "ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1}}}}}"
)
LISTS = [
    ("[{name: '', emptyDir: {}}]", ["volumes[0].name: Required value"]),
    ("[{name: a.b, emptyDir: {}}]", ['volumes[0].name: Invalid value: "a.b": must not contain dots']),
    ("[{name: a, emptyDir: {}}, {name: a, emptyDir: {}}]", ['volumes[1].name: Duplicate value: "a"']),
    ("[{name: a}]", []),
    (
        f"[{{name: a, {EPHEMERAL}}}, {{name: b, persistentVolumeClaim: {{claimName: p-a}}}}]",
        [
            'volumes[1].persistentVolumeClaim.claimName: Invalid value: "p-a": must not reference a PVC that gets created '
            "for an ephemeral volume"
        ],
    ),
]


@pytest.mark.parametrize(("volumes", "said"), LISTS, ids=lambda value: str(value)[:60])
def test_what_is_said_of_volumes_together(volumes: str, said: list[str]) -> None:
    assert relative(faults(v1.Pod, POD, f"spec: {{volumes: {volumes}}}"), "spec.") == said


def test_a_volume_with_faults_cannot_be_mounted() -> None:
    spec = "{volumes: [{name: v, hostPath: {path: ''}}], containers: [{name: a, image: b, %s}]}"
    found = faults(v1.Pod, POD, f"spec: {spec % 'volumeMounts: [{name: v, mountPath: /x}]'}")
    assert found == [
        "spec.volumes[0].hostPath.path: Required value",
        'spec.containers[0].volumeMounts[0].name: Not found: "v"',
    ]


def test_the_claim_of_an_ephemeral_volume_is_named_after_the_pod() -> None:
    name = "p" * 253
    (fault,) = faults(v1.Pod, POD, f"{{metadata: {{name: {name}}}, spec: {{volumes: [{{name: v, {EPHEMERAL}}}]}}}}")
    assert fault == (
        f'spec.volumes[0].name: Invalid value: "v": PVC name "{name}-v": must be no more than 253 characters'
    )
