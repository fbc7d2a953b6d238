"""Namespaces: phases, the finalizer in the spec, and ``/finalize``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from steersman.api.labels import FINALIZER_KUBERNETES, METADATA_NAME
from steersman.api.types import core_v1 as v1
from steersman.api.types.meta_v1 import DeleteOptions
from steersman.apiserver.registry import deletion
from steersman.apiserver.registry.contract import Context
from steersman.apiserver.registry.strategy import Handlers, Strategy


class NamespaceStrategy(Strategy):
    """A namespace goes when its spec has no finalizers any more: when the namespace controller has emptied it."""

    def __init__(self, resource: Any, cluster: Handlers) -> None:
        super().__init__(resource, cluster)
        self.subresources["finalize"] = self.prepare_finalize

    def prepare_create(self, context: Context, new: v1.Namespace) -> None:
        new.status = v1.NamespaceStatus(phase="Active")
        new.metadata.labels[METADATA_NAME] = new.metadata.name
        if FINALIZER_KUBERNETES not in new.spec.finalizers:
            new.spec.finalizers.append(FINALIZER_KUBERNETES)

    def prepare_update(self, context: Context, new: v1.Namespace, old: v1.Namespace) -> None:
        new.spec.finalizers = old.spec.finalizers
        new.status = old.status
        new.metadata.labels[METADATA_NAME] = new.metadata.name

    def prepare_finalize(self, context: Context, new: v1.Namespace, old: v1.Namespace) -> None:
        """Only the finalizers of the spec may change."""
        new.status = old.status

    def begin_delete(self, obj: v1.Namespace, options: DeleteOptions, now: datetime) -> deletion.Outcome:
        if obj.metadata.deletion_timestamp is not None and obj.spec.finalizers:
            return "unchanged"
        if not obj.spec.finalizers:
            return super().begin_delete(obj, options, now)
        super().begin_delete(obj, options, now)
        obj.metadata.deletion_timestamp = obj.metadata.deletion_timestamp or now
        obj.metadata.deletion_grace_period_seconds = None
        obj.status.phase = "Terminating"
        return "update"

    def released(self, obj: v1.Namespace) -> bool:
        return not obj.spec.finalizers and super().released(obj)
