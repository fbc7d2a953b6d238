"""Classes that choose nodes: they warn of labels that go away."""

from __future__ import annotations

from collections.abc import Iterator

from steersman.api.types.node_v1 import RuntimeClass
from steersman.api.types.storage_v1 import CSIStorageCapacity, StorageClass
from steersman.api.warnings.topology import (
    runtime_class_warnings,
    storage_capacity_warnings,
    storage_class_warnings,
)
from steersman.apiserver.registry.strategy import Strategy


class StorageClassStrategy(Strategy):
    """Nothing else is particular."""

    def warnings(self, new: StorageClass, old: StorageClass | None) -> Iterator[str]:
        return storage_class_warnings(new)


class StorageCapacityStrategy(Strategy):
    """Updates must say which version they replace."""

    unconditional_update = False

    def warnings(self, new: CSIStorageCapacity, old: CSIStorageCapacity | None) -> Iterator[str]:
        return storage_capacity_warnings(new)


class RuntimeClassStrategy(Strategy):
    """Updates must say which version they replace."""

    unconditional_update = False

    def warnings(self, new: RuntimeClass, old: RuntimeClass | None) -> Iterator[str]:
        return runtime_class_warnings(new)
