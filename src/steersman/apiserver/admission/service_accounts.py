"""ServiceAccount: every pod runs as a service account, and finds its token where clients look for it."""

from __future__ import annotations

import asyncio

from steersman.api.generated_names import derived_name, generated_name
from steersman.api.labels import MIRROR_POD
from steersman.api.meta import controller_of
from steersman.api.types import core_v1 as v1

from .plugin import Cluster, Plugin, Request

MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_VOLUME_PREFIX = "kube-api-access-"
_TOKEN_SECONDS = 3607
_DEFAULT_MODE = 0o644


class ServiceAccountAdmission(Plugin):
    """See the module."""

    name = "ServiceAccount"
    resources = frozenset({"pods"})

    async def mutate(self, request: Request, cluster: Cluster) -> None:
        pod: v1.Pod = request.obj
        spec = pod.spec
        if MIRROR_POD in pod.metadata.annotations:
            if spec.service_account_name:
                raise request.refuse("a mirror pod may not reference service accounts")
            if any(volume.secret is not None for volume in spec.volumes):
                raise request.refuse("a mirror pod may not reference secrets")
            return
        if not spec.service_account_name:
            spec.service_account_name = spec.service_account = "default"
        account = await self._account(request, cluster, spec.service_account_name)
        if self._automounts(account, spec):
            owner = controller_of(pod.metadata)
            mount_token(spec, owner.uid if owner is not None else "")
        if not spec.image_pull_secrets:
            spec.image_pull_secrets = [v1.LocalObjectReference(name=each.name) for each in account.image_pull_secrets]

    @staticmethod
    async def _account(request: Request, cluster: Cluster, name: str) -> v1.ServiceAccount:
        # The controller makes the default account a moment after the namespace: such a pod is worth a short wait.
        for attempt in range(10 if name == "default" else 1):
            if attempt:
                await asyncio.sleep(0.1)
            account = await cluster.get(v1.ServiceAccount, name, request.namespace)
            if account is not None:
                return account
        raise request.refuse(
            f'error looking up service account {request.namespace}/{name}: serviceaccount "{name}" not found'
        )

    @staticmethod
    def _automounts(account: v1.ServiceAccount, spec: v1.PodSpec) -> bool:
        if spec.automount_service_account_token is not None:
            return spec.automount_service_account_token
        return account.automount_service_account_token is not False


def mount_token(spec: v1.PodSpec, family: str = "") -> None:
    """Mount token, CA certificate and namespace into every container that has nothing there.

    The volume's suffix is random, as upstream's is, but alike within a family, the pods of one controller, which then
    differ in nothing here.
    """
    name = next((volume.name for volume in spec.volumes if volume.name.startswith(_VOLUME_PREFIX)), "")
    present = bool(name)
    name = name or (derived_name(_VOLUME_PREFIX, family) if family else generated_name(_VOLUME_PREFIX))
    needed = False
    for container in (*spec.init_containers, *spec.containers):
        if all(mount.mount_path != MOUNT_PATH for mount in container.volume_mounts):
            container.volume_mounts.append(v1.VolumeMount(name=name, mount_path=MOUNT_PATH, read_only=True))
            needed = True
    if needed and not present:
        spec.volumes.append(v1.Volume(name=name, projected=token_volume()))


def token_volume() -> v1.ProjectedVolumeSource:
    """The volume that :func:`mount_token` adds."""
    return v1.ProjectedVolumeSource(
        default_mode=_DEFAULT_MODE,
        sources=[
            v1.VolumeProjection(
                service_account_token=v1.ServiceAccountTokenProjection(path="token", expiration_seconds=_TOKEN_SECONDS)
            ),
            v1.VolumeProjection(
                config_map=v1.ConfigMapProjection(
                    name="kube-root-ca.crt", items=[v1.KeyToPath(key="ca.crt", path="ca.crt")]
                )
            ),
            v1.VolumeProjection(
                downward_api=v1.DownwardAPIProjection(
                    items=[
                        v1.DownwardAPIVolumeFile(
                            path="namespace",
                            field_ref=v1.ObjectFieldSelector(api_version="v1", field_path="metadata.namespace"),
                        )
                    ]
                )
            ),
        ],
    )
