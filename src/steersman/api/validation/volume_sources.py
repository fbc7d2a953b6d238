"""What volumes are made of: the rules of each source that names something outside the pod.

Most sources only have members that must be there; these are declared with :func:`demands`.  The same rules serve the
volumes of pods and persistent volumes; where the two differ, persistent volumes have a row of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from steersman.api import errors
from steersman.api.types import core_v1 as v1

from . import names
from .faults import Faults

Check = Callable[[Faults, Any, str], None]

_HOST_PATH_TYPES = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)


class Source(NamedTuple):
    """One kind of source: its JSON name, its rules, and the names by which upstream's faults call it."""

    name: str
    check: Check
    place: str = ""
    """Where the faults of its members are, unless under its name."""
    surplus: str = ""
    """What it is called when it is one too many, unless by its name."""


def one_source(faults: Faults, volume: Any, path: str, sources: Mapping[str, Source]) -> None:
    """Exactly one source must be given; the first is checked, others are refused."""
    given = [attribute for attribute in sources if getattr(volume, attribute) is not None]
    if not given:
        faults.append(errors.required(path, "must specify a volume type"))
        return
    first = sources[given[0]]
    first.check(faults, getattr(volume, given[0]), f"{path}.{first.place or first.name}")
    for attribute in given[1:]:
        other = sources[attribute]
        faults.forbidden(f"{path}.{other.surplus or other.name}", "may not specify more than 1 volume type")


def demands(**members: str) -> Check:
    """These attributes must not be empty; each is given with its JSON name."""

    def check(faults: Faults, source: Any, path: str) -> None:
        for attribute, name in members.items():
            faults.required(f"{path}.{name}", getattr(source, attribute))

    return check


def every(*checks: Check) -> Check:
    """Several rules for one source."""

    def check(faults: Faults, source: Any, path: str) -> None:
        for each in checks:
            each(faults, source, path)

    return check


# -- paths -----------------------------------------------------------------------------------------------------------


def no_backsteps(faults: Faults, value: str, path: str) -> None:
    """No component of a path may be ``..``."""
    if ".." in value and ".." in value.split("/"):
        faults.invalid(path, value, "must not contain '..'")


def descending_path(faults: Faults, value: str, path: str) -> None:
    """A relative path that does not leave its directory."""
    if value.startswith("/"):
        faults.invalid(path, value, "must be a relative path")
    no_backsteps(faults, value, path)


def local_path(faults: Faults, value: str, path: str) -> None:
    """A path inside a volume whose writer keeps names with two leading dots for itself."""
    descending_path(faults, value, path)
    if value.startswith("..") and not value.startswith("../"):
        faults.invalid(path, value, "must not start with '..'")


# -- sources ---------------------------------------------------------------------------------------------------------


def host_path(faults: Faults, source: v1.HostPathVolumeSource, path: str) -> None:
    """A path of the node."""
    if not faults.required(f"{path}.path", source.path):
        return
    no_backsteps(faults, source.path, f"{path}.path")
    if source.type not in _HOST_PATH_TYPES:
        faults.append(errors.not_supported(f"{path}.type", source.type, _HOST_PATH_TYPES))


def _git_repo(faults: Faults, source: v1.GitRepoVolumeSource, path: str) -> None:
    faults.required(f"{path}.repository", source.repository)
    descending_path(faults, source.directory, f"{path}.directory")


def _partition(
    faults: Faults, source: v1.GCEPersistentDiskVolumeSource | v1.AWSElasticBlockStoreVolumeSource, path: str
) -> None:
    if source.partition is not None and not 0 <= source.partition <= 255:
        faults.invalid(f"{path}.partition", source.partition, "must be between 1 and 255, inclusive")


def _nfs(faults: Faults, source: v1.NFSVolumeSource, path: str) -> None:
    faults.required(f"{path}.server", source.server)
    faults.required(f"{path}.path", source.path)
    if not source.path.startswith("/"):
        faults.invalid(f"{path}.path", source.path, "must be an absolute path")


_INITIATORS = {
    "iqn": re.compile(r"iqn\.\d{4}-\d{2}\.([0-9A-Za-z.-]+)(:[^,;*&$|\s]+)", re.ASCII),
    "eui": re.compile(r"eui.[0-9A-Za-z]{16}", re.ASCII),
    "naa": re.compile(r"naa.[0-9A-Za-z]{32}", re.ASCII),
}


def _initiator(faults: Faults, name: str, path: str, unknown: str) -> None:
    form = _INITIATORS.get(name[:3])
    if form is None:
        faults.invalid(path, name, unknown)
    elif not form.fullmatch(name):
        faults.invalid(path, name, "must be valid format")


def _iscsi_with(unknown: str) -> Check:
    def check(faults: Faults, source: v1.ISCSIVolumeSource | v1.ISCSIPersistentVolumeSource, path: str) -> None:
        faults.required(f"{path}.targetPortal", source.target_portal)
        if faults.required(f"{path}.iqn", source.iqn):
            _initiator(faults, source.iqn, f"{path}.iqn", unknown)
        faults.between(f"{path}.lun", source.lun, 0, 255)
        if source.chap_auth_discovery or source.chap_auth_session:
            faults.required(f"{path}.secretRef", source.secret_ref)
        if source.initiator_name:
            _initiator(faults, source.initiator_name, f"{path}.initiatorname", unknown)

    return check


ISCSI_NAME_TOO_LONG = (
    "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is "
    "specified."
)


def iscsi_name_too_long(source: v1.ISCSIVolumeSource | v1.ISCSIPersistentVolumeSource, volume: str) -> bool:
    """Whether the name of an interface that is made of the volume's and the portal's would not fit."""
    return bool(source.initiator_name) and len(f"{volume}:{source.target_portal}") > 64


def _flocker(faults: Faults, source: v1.FlockerVolumeSource, path: str) -> None:
    if not source.dataset_name and not source.dataset_uuid:
        faults.append(errors.required(path, "one of datasetName and datasetUUID is required"))
    if source.dataset_name and source.dataset_uuid:
        faults.invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously")
    if "/" in source.dataset_name:
        faults.invalid(f"{path}.datasetName", source.dataset_name, "must not contain '/'")


_HOST_PORT = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*):[^:\[\]]*")
_REGISTRY = "must be a host:port pair or multiple pairs separated by commas"


def _quobyte(faults: Faults, source: v1.QuobyteVolumeSource, path: str) -> None:
    if not source.registry:
        faults.append(errors.required(f"{path}.registry", _REGISTRY))
    elif len(source.tenant) >= 65:
        faults.append(errors.required(f"{path}.tenant", "must be a UUID and may not exceed a length of 64 characters"))
    else:
        for pair in source.registry.split(","):
            if not _HOST_PORT.fullmatch(pair):
                faults.invalid(f"{path}.registry", source.registry, _REGISTRY)
    faults.required(f"{path}.volume", source.volume)


def _fc(faults: Faults, source: v1.FCVolumeSource, path: str) -> None:
    if not source.target_wwns and not source.wwids:
        faults.append(errors.required(f"{path}.targetWWNs", "must specify either targetWWNs or wwids, but not both"))
    if source.target_wwns and source.wwids:
        detail = "targetWWNs and wwids can not be specified simultaneously"
        faults.invalid(f"{path}.targetWWNs", source.target_wwns, detail)
    if source.target_wwns:
        if source.lun is None:
            faults.append(errors.required(f"{path}.lun", "lun is required if targetWWNs is specified"))
        faults.between(f"{path}.lun", source.lun, 0, 255)


def _flex_volume(faults: Faults, source: v1.FlexVolumeSource | v1.FlexPersistentVolumeSource, path: str) -> None:
    faults.required(f"{path}.driver", source.driver)
    for key in source.options:
        domain = f".{key.partition('/')[0].lower()}"
        if domain.endswith((".kubernetes.io", ".k8s.io")):
            faults.invalid(f"{path}.options[{key}]", key, "kubernetes.io and k8s.io namespaces are reserved")


_MANAGED_DISK = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
_BLOB_DISK = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"


def _azure_disk(faults: Faults, source: v1.AzureDiskVolumeSource, path: str) -> None:
    faults.required(f"{path}.diskName", source.disk_name)
    faults.required(f"{path}.diskURI", source.disk_uri)
    faults.one_of(f"{path}.cachingMode", source.caching_mode, ("None", "ReadOnly", "ReadWrite"), optional=True)
    faults.one_of(f"{path}.kind", source.kind, ("Dedicated", "Managed", "Shared"), optional=True)
    start, form = ("/subscriptions/", _MANAGED_DISK) if source.kind == "Managed" else ("https://", _BLOB_DISK)
    if source.kind and not source.disk_uri.startswith(start):
        faults.append(errors.not_supported(f"{path}.diskURI", source.disk_uri, (form,)))


def _secret_name(faults: Faults, source: Any, path: str) -> None:
    if source.secret_ref is not None:
        faults.required(f"{path}.secretRef.name", source.secret_ref.name)


def _secret_place(faults: Faults, source: Any, path: str) -> None:
    if source.secret_ref is not None:
        faults.required(f"{path}.secretRef.name", source.secret_ref.name)
        faults.required(f"{path}.secretRef.namespace", source.secret_ref.namespace)


def _storageos(
    faults: Faults, source: v1.StorageOSVolumeSource | v1.StorageOSPersistentVolumeSource, path: str
) -> None:
    faults.name(f"{path}.volumeName", source.volume_name, names.dns1123_label)
    if source.volume_namespace:
        faults.grammar(f"{path}.volumeNamespace", source.volume_namespace, names.dns1123_label)


def csi_driver_name(faults: Faults, name: str, path: str) -> None:
    """The name of a CSI driver: a subdomain in any case, up to 63 characters."""
    if not faults.required(path, name):
        return
    if len(name) > 63:
        faults.append(errors.too_long(path, 63))
    for fault in names.dns1123_subdomain(name.lower()):
        faults.invalid(path, name, fault)


def _csi(faults: Faults, source: v1.CSIVolumeSource, path: str) -> None:
    csi_driver_name(faults, source.driver, f"{path}.driver")
    secret = source.node_publish_secret_ref
    if secret is not None and faults.required(f"{path}.nodePublishSecretRef.name", secret.name):
        faults.grammar(f"{path}.name", secret.name, names.dns1123_subdomain)


_CSI_SECRETS = {
    "controller_publish_secret_ref": "controllerPublishSecretRef",
    "controller_expand_secret_ref": "controllerExpandSecretRef",
    "node_publish_secret_ref": "nodePublishSecretRef",
    "node_expand_secret_ref": "nodeExpandSecretRef",
}


def _persistent_csi(faults: Faults, source: v1.CSIPersistentVolumeSource, path: str) -> None:
    csi_driver_name(faults, source.driver, f"{path}.driver")
    faults.required(f"{path}.volumeHandle", source.volume_handle)
    for attribute, name in _CSI_SECRETS.items():
        if (secret := getattr(source, attribute)) is not None:
            faults.name(f"{path}.{name}.name", secret.name, names.dns1123_subdomain)
            faults.name(f"{path}.{name}.namespace", secret.namespace, names.dns1123_label)


def _persistent_glusterfs(faults: Faults, source: v1.GlusterfsPersistentVolumeSource, path: str) -> None:
    if source.endpoints_namespace:
        faults.grammar(f"{path}.endpointsNamespace", source.endpoints_namespace, names.dns1123_label)


def _local(faults: Faults, source: v1.LocalVolumeSource, path: str) -> None:
    if faults.required(f"{path}.path", source.path):
        no_backsteps(faults, source.path, f"{path}.path")


_AZURE_FILE = demands(secret_name="secretName", share_name="shareName")  # noqa: S106
_CEPHFS = Source("cephfs", demands(monitors="monitors"), surplus="cephFS")
_CINDER = demands(volume_id="volumeID")
_GLUSTERFS = demands(endpoints="endpoints", path="path")
_RBD = demands(monitors="monitors", image="image")
_SCALE_IO = demands(gateway="gateway", system="system", volume_name="volumeName")

SHARED = {
    "aws_elastic_block_store": Source("awsElasticBlockStore", every(demands(volume_id="volumeID"), _partition)),
    "azure_disk": Source("azureDisk", _azure_disk),
    "cephfs": _CEPHFS,
    "fc": Source("fc", _fc),
    "flex_volume": Source("flexVolume", _flex_volume),
    "flocker": Source("flocker", _flocker),
    "gce_persistent_disk": Source(
        "gcePersistentDisk", every(demands(pd_name="pdName"), _partition), place="persistentDisk"
    ),
    "host_path": Source("hostPath", host_path),
    "nfs": Source("nfs", _nfs),
    "photon_persistent_disk": Source("photonPersistentDisk", demands(pd_id="pdID")),
    "portworx_volume": Source("portworxVolume", demands(volume_id="volumeID")),
    "quobyte": Source("quobyte", _quobyte),
    "rbd": Source("rbd", _RBD),
    "scale_io": Source("scaleIO", _SCALE_IO),
    "vsphere_volume": Source("vsphereVolume", demands(volume_path="volumePath")),
}
"""Sources whose rules are the same for pods and persistent volumes."""

INLINE = {
    **SHARED,
    "azure_file": Source("azureFile", _AZURE_FILE),
    "cinder": Source("cinder", every(_CINDER, _secret_name)),
    "csi": Source("csi", _csi),
    "git_repo": Source("gitRepo", _git_repo),
    "glusterfs": Source("glusterfs", _GLUSTERFS),
    "iscsi": Source("iscsi", _iscsi_with("must be valid format starting with iqn, eui, or naa")),
    "storageos": Source("storageos", every(_storageos, _secret_name)),
}
"""What only volumes of pods can be made of."""

PERSISTENT = {
    **SHARED,
    "azure_file": Source("azureFile", _AZURE_FILE),
    "cinder": Source("cinder", every(_CINDER, _secret_place)),
    "csi": Source("csi", _persistent_csi),
    "glusterfs": Source("glusterfs", every(_GLUSTERFS, _persistent_glusterfs)),
    "iscsi": Source("iscsi", every(_iscsi_with("must be valid format"), _secret_name)),
    "local": Source("local", _local),
    "storageos": Source("storageos", every(_storageos, _secret_place)),
}
"""What persistent volumes are made of."""

PERSISTENT_ORDER = (
    "host_path",
    "gce_persistent_disk",
    "aws_elastic_block_store",
    "glusterfs",
    "flocker",
    "nfs",
    "rbd",
    "quobyte",
    "cephfs",
    "iscsi",
    "cinder",
    "fc",
    "flex_volume",
    "azure_file",
    "vsphere_volume",
    "photon_persistent_disk",
    "portworx_volume",
    "azure_disk",
    "scale_io",
    "local",
    "storageos",
    "csi",
)
PERSISTENT = {attribute: PERSISTENT[attribute] for attribute in PERSISTENT_ORDER}
