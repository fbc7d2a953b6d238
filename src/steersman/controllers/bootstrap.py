"""What every namespace gets: its ``default`` service account, and the certificate of the cluster's root.

Both are made anew when they are deleted or changed, for as long as the namespace is not terminating.
"""

from __future__ import annotations

from typing import ClassVar

from steersman.api.errors import StatusError
from steersman.api.types.core_v1 import ConfigMap, Namespace, ServiceAccount
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.client.client import Selectors
from steersman.client.informer import Informer

from .kit import Controller, ControllerContext
from .kit.refusals import harmless

ROOT_CA = "kube-root-ca.crt"
DEFAULT = "default"


class _PerNamespace(Controller):
    """Keys are names of namespaces."""

    workers: ClassVar[int] = 1

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self.namespaces: Informer[Namespace] = self.watch(Namespace, lambda obj: [obj.metadata.name])

    def live(self, name: str) -> bool:
        """Whether things may be created in the namespace."""
        namespace = self.namespaces.lister.get(name)
        return (
            namespace is not None
            and namespace.metadata.deletion_timestamp is None
            and namespace.status.phase != "Terminating"
        )


class ServiceAccountController(_PerNamespace):
    """Gives every namespace a service account called ``default``."""

    name = "serviceaccount-controller"
    service_account = "service-account-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        informer = context.informers.informer(ServiceAccount)
        self.accounts = self.listen(informer, on_delete=lambda obj: self.queue.add(obj.metadata.namespace))

    async def reconcile(self, key: str) -> float | None:
        if not self.live(key) or self.accounts.lister.get(DEFAULT, key) is not None:
            return None
        try:
            await self.client.create(ServiceAccount(metadata=ObjectMeta(name=DEFAULT, namespace=key)))
        except StatusError as error:
            if not harmless(error):
                raise
        return None


class RootCACertPublisher(_PerNamespace):
    """Keeps ``kube-root-ca.crt`` in every namespace, so that pods can verify the API server."""

    name = "root-ca-certificate-publisher-controller"
    service_account = "root-ca-cert-publisher"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self.data = {"ca.crt": context.config.root_ca.decode()} if context.config.root_ca else {}
        self.config_maps: Informer[ConfigMap] = context.informers.informer(
            ConfigMap, selectors=Selectors(fields=f"metadata.name={ROOT_CA}")
        )
        self.listen(
            self.config_maps,
            on_update=lambda old, new: self.queue.add(new.metadata.namespace),
            on_delete=lambda obj: self.queue.add(obj.metadata.namespace),
        )

    async def reconcile(self, key: str) -> float | None:
        if not self.data or not self.live(key):
            return None
        present = self.config_maps.lister.get(ROOT_CA, key)
        try:
            if present is None:
                metadata = ObjectMeta(name=ROOT_CA, namespace=key)
                await self.client.create(ConfigMap(metadata=metadata, data=dict(self.data)))
            elif present.data != self.data or present.binary_data:
                metadata = present.metadata
                await self.client.update(ConfigMap(metadata=metadata, data=dict(self.data)))
        except StatusError as error:
            if not harmless(error):
                raise
        return None
