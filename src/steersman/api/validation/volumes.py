"""Volumes of pods: their names, and the sources that are files made of the API's objects."""

from __future__ import annotations

from steersman.api import errors, quantity
from steersman.api.types import core_v1 as v1

from . import environment, meta, names, persistent_volumes
from .faults import Faults, verdict
from .signers import bundle_name, kubernetes_signer, signer_name
from .volume_sources import (
    INLINE,
    ISCSI_NAME_TOO_LONG,
    Source,
    demands,
    iscsi_name_too_long,
    local_path,
    one_source,
)

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_KEY_TYPES = ("RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519")
_DOWNWARD_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
_DAY = 24 * 60 * 60
DUPLICATE_PATHS = "conflicting duplicate paths"


def volumes(faults: Faults, values: list[v1.Volume], path: str, pod: str = "") -> dict[str, v1.Volume]:
    """Every volume of a pod; returns those without fault, by name, because only they can be mounted.

    ``pod`` is the pod's name where it is known: claims that are made for it are called after both.
    """
    known: dict[str, v1.Volume] = {}
    claims = {f"{pod}-{volume.name}" for volume in values if volume.ephemeral is not None} if pod else ()
    for index, volume in enumerate(values):
        place = f"{path}[{index}]"
        before = len(faults)
        one_source(faults, volume, place, _SOURCES)
        if volume.iscsi is not None and iscsi_name_too_long(volume.iscsi, volume.name):
            faults.invalid(f"{place}.name", volume.name, ISCSI_NAME_TOO_LONG)
        if volume.ephemeral is not None and pod and volume.name:
            claim = f"{pod}-{volume.name}"
            for fault in verdict(names.dns1123_subdomain, claim):
                faults.invalid(f"{place}.name", volume.name, f'PVC name "{claim}": {fault}')
        faults.name(f"{place}.name", volume.name, names.dns1123_label)
        if volume.name in known:
            faults.append(errors.duplicate(f"{place}.name", volume.name))
        if len(faults) == before:
            known[volume.name] = volume
        claimed = volume.persistent_volume_claim
        if claimed is not None and claimed.claim_name in claims:
            faults.invalid(
                f"{place}.persistentVolumeClaim.claimName",
                claimed.claim_name,
                "must not reference a PVC that gets created for an ephemeral volume",
            )
    return known


def _empty_dir(faults: Faults, source: v1.EmptyDirVolumeSource, path: str) -> None:
    if source.size_limit and quantity.parse(source.size_limit) < 0:
        faults.forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")


def _mode(faults: Faults, mode: int | None, path: str) -> None:
    if mode is not None and not 0 <= mode <= 0o777:
        faults.invalid(path, mode, "must be a number between 0 and 0777 (octal), both inclusive")


def _items(faults: Faults, items: list[v1.KeyToPath], path: str) -> None:
    for index, item in enumerate(items):
        place = f"{path}.items[{index}]"
        faults.required(f"{place}.key", item.key)
        faults.required(f"{place}.path", item.path)
        local_path(faults, item.path, f"{place}.path")
        _mode(faults, item.mode, f"{place}.mode")


def _secret(faults: Faults, source: v1.SecretVolumeSource, path: str) -> None:
    faults.required(f"{path}.secretName", source.secret_name)
    _mode(faults, source.default_mode, f"{path}.defaultMode")
    _items(faults, source.items, path)


def _config_map(faults: Faults, source: v1.ConfigMapVolumeSource, path: str) -> None:
    faults.required(f"{path}.name", source.name)
    _mode(faults, source.default_mode, f"{path}.defaultMode")
    _items(faults, source.items, path)


def _downward(faults: Faults, source: v1.DownwardAPIVolumeSource, path: str) -> None:
    _mode(faults, source.default_mode, f"{path}.defaultMode")
    for file in source.items:
        _downward_file(faults, file, path)


def _downward_file(faults: Faults, file: v1.DownwardAPIVolumeFile, path: str) -> None:
    """A file; upstream says what is wrong of the volume, not of the item."""
    faults.required(f"{path}.path", file.path)
    local_path(faults, file.path, f"{path}.path")
    if file.field_ref is not None:
        environment.field_ref(faults, file.field_ref, f"{path}.fieldRef", _DOWNWARD_FIELDS)
        if file.resource_field_ref is not None:
            faults.invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
    elif file.resource_field_ref is not None:
        environment.resource_field(faults, file.resource_field_ref, f"{path}.resourceFieldRef", in_volume=True)
    else:
        faults.append(errors.required(path, "one of fieldRef and resourceFieldRef is required"))
    _mode(faults, file.mode, f"{path}.mode")


def _ephemeral(faults: Faults, source: v1.EphemeralVolumeSource, path: str) -> None:
    place = f"{path}.volumeClaimTemplate"
    if (template := source.volume_claim_template) is None:
        faults.append(errors.required(place))
        return
    meta.template_meta(faults, template.metadata, f"{place}.metadata")
    persistent_volumes.claim_spec(faults, template.spec, f"{place}.spec")


def _image(faults: Faults, source: v1.ImageVolumeSource, path: str) -> None:
    faults.required(f"{path}.reference", source.reference)
    faults.one_of(f"{path}.pullPolicy", source.pull_policy, PULL_POLICIES)


# -- projections -----------------------------------------------------------------------------------------------------


def _projected(faults: Faults, projected: v1.ProjectedVolumeSource, path: str) -> None:
    _mode(faults, projected.default_mode, f"{path}.defaultMode")
    taken: set[str] = set()
    for index, source in enumerate(projected.sources):
        place = f"{path}.sources[{index}]"
        given = 0
        if source.secret is not None:
            given += 1
            _projected_object(faults, source.secret, f"{place}.secret", path, taken)
        if source.config_map is not None:
            given += 1
            _projected_object(faults, source.config_map, f"{place}.configMap", path, taken)
        if source.downward_api is not None:
            given += 1
            for file in source.downward_api.items:
                _downward_file(faults, file, f"{place}.downwardAPI")
                _claim_path(faults, file.path, path, taken)
        if source.service_account_token is not None:
            given += 1
            _token(faults, source.service_account_token, f"{place}.serviceAccountToken", path)
        if source.cluster_trust_bundle is not None:
            given += 1
            _trust_bundle(faults, source.cluster_trust_bundle, f"{place}.clusterTrustBundle", path, taken)
        if source.pod_certificate is not None:
            given += 1
            _certificate(faults, source.pod_certificate, f"{place}.podCertificate", path, taken)
        if given > 1:
            faults.forbidden(place, "may not specify more than 1 volume type per source")


def _claim_path(faults: Faults, value: str, path: str, taken: set[str], shown: str = "") -> None:
    """No two sources may write the same file."""
    if not value:
        return
    if value in taken:
        faults.invalid(path, shown or value, DUPLICATE_PATHS)
    taken.add(value)


def _projected_object(
    faults: Faults, source: v1.SecretProjection | v1.ConfigMapProjection, place: str, path: str, taken: set[str]
) -> None:
    faults.required(f"{place}.name", source.name)
    _items(faults, source.items, place)
    for item in source.items:
        _claim_path(faults, item.path, path, taken, source.name)


def _token(faults: Faults, token: v1.ServiceAccountTokenProjection, place: str, path: str) -> None:
    seconds = token.expiration_seconds if token.expiration_seconds is not None else 0
    if seconds < 600:
        faults.invalid(f"{place}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
    if seconds > 1 << 32:
        faults.invalid(f"{place}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")
    if faults.required(f"{path}.path", token.path):
        local_path(faults, token.path, f"{path}.path")


def _trust_bundle(
    faults: Faults, source: v1.ClusterTrustBundleProjection, place: str, path: str, taken: set[str]
) -> None:
    if source.name and source.signer_name:
        faults.invalid(place, source, "only one of name and signerName may be used")
    elif source.name:
        for fault in bundle_name(source.name):
            faults.invalid(f"{place}.name", source.name, f"not a valid clustertrustbundlename: {fault}")
        if source.label_selector is not None:
            detail = "labelSelector must be unset if name is specified"
            faults.invalid(f"{place}.labelSelector", source.label_selector, detail)
    elif source.signer_name:
        signer_name(faults, source.signer_name, f"{place}.signerName")
        meta.label_selector(faults, source.label_selector, f"{place}.labelSelector")
    else:
        faults.append(errors.required(place, "either name or signerName must be specified"))
    faults.required(f"{place}.path", source.path)
    local_path(faults, source.path, f"{place}.path")
    _claim_path(faults, source.path, path, taken)


def _certificate(faults: Faults, source: v1.PodCertificateProjection, place: str, path: str, taken: set[str]) -> None:
    signer_name(faults, source.signer_name, f"{place}.signerName")
    meta.user_annotations(faults, source.user_annotations, f"{place}.userAnnotations")
    if source.key_type not in _KEY_TYPES:
        faults.append(errors.not_supported(f"{place}.keyType", source.key_type, _KEY_TYPES))
    if (seconds := source.max_expiration_seconds) is not None:
        most = _DAY if kubernetes_signer(source.signer_name) else 91 * _DAY
        if seconds < 3600:
            detail = "if provided, maxExpirationSeconds must be >= 3600"
            faults.invalid(f"{place}.maxExpirationSeconds", seconds, detail)
        if seconds > most:
            detail = f"if provided, maxExpirationSeconds must be <= {most}"
            faults.invalid(f"{place}.maxExpirationSeconds", seconds, detail)
    files = {
        "credentialBundlePath": source.credential_bundle_path,
        "keyPath": source.key_path,
        "certificateChainPath": source.certificate_chain_path,
    }
    for name, value in files.items():
        local_path(faults, value, f"{place}.{name}")
        _claim_path(faults, value, path, taken)
    if not any(files.values()):
        detail = "specify at least one of credentialBundlePath, keyPath, and certificateChainPath"
        faults.append(errors.required(place, detail))


_OWN = {
    "config_map": Source("configMap", _config_map),
    "downward_api": Source("downwardAPI", _downward, surplus="downwarAPI"),
    "empty_dir": Source("emptyDir", _empty_dir),
    "ephemeral": Source("ephemeral", _ephemeral),
    "image": Source("image", _image),
    "persistent_volume_claim": Source("persistentVolumeClaim", demands(claim_name="claimName")),
    "projected": Source("projected", _projected),
    "secret": Source("secret", _secret),
}

_ORDER = (
    "empty_dir",
    "host_path",
    "git_repo",
    "gce_persistent_disk",
    "aws_elastic_block_store",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "flocker",
    "persistent_volume_claim",
    "rbd",
    "cinder",
    "cephfs",
    "quobyte",
    "downward_api",
    "fc",
    "flex_volume",
    "config_map",
    "azure_file",
    "vsphere_volume",
    "photon_persistent_disk",
    "portworx_volume",
    "azure_disk",
    "storageos",
    "projected",
    "scale_io",
    "csi",
    "ephemeral",
    "image",
)
_SOURCES: dict[str, Source] = {attribute: {**INLINE, **_OWN}[attribute] for attribute in _ORDER}
