"""All nodes as arrays: a column for each node, a row for each resource; kept current change by change."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steersman.api.types.core_v1 import Node, Taint

from .podinfo import Amounts, PodInfo, amounts

Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]
Indexes = NDArray[np.intp]

CPU, MEMORY, EPHEMERAL, PODS = range(4)
Group = tuple[str, tuple[tuple[str, str], ...], bool]
"""Namespace, labels, whether it terminates: all that selectors of other pods see of a pod."""

TaintKey = tuple[str, str, str]
"""Key, value, effect."""

_FIRST_CAPACITY = 64

MOVES = 2048
"""Of so many moves at least the columns are known."""

_SPARE = 64
"""Label values and sets of taints that no node has any more may be as many as there are nodes, and so many."""


class Snapshot:
    """Nodes and what runs, or was decided to run, on them.

    Columns are reused; ``active`` says which hold a node.  ``requested`` counts pods in row PODS.  Labels are
    interned: ``label_columns[key]`` holds for each node the number of its value in ``label_values[key]``, or -1.
    ``taint_sets[taint_column[node]]`` are a node's taints.  What neither nodes nor pods on them have any more is
    forgotten: ``resources`` has rows, and ``label_columns`` keys, of what there is, and numbers are given anew.
    """

    def __init__(self) -> None:
        self.capacity = _FIRST_CAPACITY
        self.version = 0
        """Grows with every change of nodes and namespaces."""
        self.moves = 0
        """How often a pod came to a column, or left it."""
        self._moved: list[int] = []  # the columns of the latest of these
        self.columns: dict[str, int] = {}
        self.names: list[str] = [""] * self.capacity
        self.resources: dict[str, int] = {"cpu": CPU, "memory": MEMORY, "ephemeral-storage": EPHEMERAL, "pods": PODS}
        self.allocatable: Numbers = np.zeros((4, self.capacity), np.int64)
        self.requested: Numbers = np.zeros((4, self.capacity), np.int64)
        self.nonzero: Numbers = np.zeros((2, self.capacity), np.int64)
        self.active: Mask = np.zeros(self.capacity, np.bool_)
        self.unschedulable: Mask = np.zeros(self.capacity, np.bool_)
        self.taint_column: Indexes = np.zeros(self.capacity, np.intp)
        self.taint_sets: list[tuple[TaintKey, ...]] = [()]
        self._taint_index: dict[tuple[TaintKey, ...], int] = {(): 0}
        self.label_columns: dict[str, Indexes] = {}
        self.label_values: dict[str, dict[str, int]] = {}
        self.images: dict[str, dict[int, int]] = {}
        self.ports: dict[tuple[str, int], dict[int, Counter[str]]] = {}
        self.groups: dict[Group, Counter[int]] = {}
        """Pods that look alike to selectors: how many are on which column."""
        self.affine: dict[bytes, tuple[PodInfo, Counter[int]]] = {}
        """The pods with pod affinity or anti-affinity of their own: one of each signature, how many on which column."""
        self.namespaces: dict[str, dict[str, str]] = {}
        """The labels of namespaces."""
        self._node_images: dict[int, list[str]] = {}
        self._free_rows: list[int] = []
        self._free = list(range(self.capacity - 1, -1, -1))
        self._pods: dict[str, tuple[str, PodInfo]] = {}
        self._by_node: dict[str, dict[str, PodInfo]] = {}

    def __len__(self) -> int:
        return len(self.columns)

    def pods_on(self, node: str) -> list[PodInfo]:
        """The pods that count on a node."""
        return [*self._by_node.get(node, {}).values()]

    def node_of(self, uid: str) -> str | None:
        """Where a pod counts; None where it does not."""
        found = self._pods.get(uid)
        return found[0] if found else None

    def set_node(self, node: Node) -> None:
        """Add or update a node."""
        self.version += 1
        name = node.metadata.name
        column = self.columns.get(name)
        if column is None:
            if not self._free:
                self._grow()
            column = self._free.pop()
            self.columns[name] = column
            self.names[column] = name
            self.active[column] = True
            for info in self._by_node.get(name, {}).values():
                self._count(column, info, 1)
        self._set_allocatable(column, amounts(node.status.allocatable))
        self.unschedulable[column] = bool(node.spec.unschedulable)
        self.taint_column[column] = self._intern(node.spec.taints)
        self._set_labels(column, node.metadata.labels)
        self._set_images(column, node)

    def remove_node(self, name: str) -> None:
        """Forget a node; its pods count again if it comes back."""
        column = self.columns.pop(name, None)
        if column is None:
            return
        self.version += 1
        for info in self._by_node.get(name, {}).values():
            self._count(column, info, -1)
        self.active[column] = False
        self.names[column] = ""
        self._set_allocatable(column, {})
        self.taint_column[column] = 0
        self._set_labels(column, {})
        for image in self._node_images.pop(column, []):
            self._drop_image(image, column)
        self._free.append(column)

    def add_pod(self, info: PodInfo, node: str) -> bool:
        """Count a pod on a node, which need not be known yet; where it counted before, it does no more.

        Returns whether that changed anything.
        """
        known = self._pods.get(info.uid)
        if known is not None and known[0] == node and known[1].signature == info.signature:
            return False  # the watch confirms what was assumed
        self.remove_pod(info.uid)
        self._pods[info.uid] = (node, info)
        self._by_node.setdefault(node, {})[info.uid] = info
        if (column := self.columns.get(node)) is not None:
            self._count(column, info, 1)
        return True

    def remove_pod(self, uid: str) -> bool:
        """Count a pod no more; returns whether it did."""
        found = self._pods.pop(uid, None)
        if found is None:
            return False
        node, info = found
        pods = self._by_node[node]
        del pods[uid]
        if not pods:
            del self._by_node[node]
        if (column := self.columns.get(node)) is not None:
            self._count(column, info, -1)
        return True

    def resource(self, name: str) -> int:
        """The row of a resource, made when first asked for: for what a node offers, or a pod on one needs."""
        row = self.resources.get(name)
        if row is None and self._free_rows:
            row = self.resources[name] = self._free_rows.pop()
        elif row is None:
            row = self.resources[name] = len(self.resources)
            empty = np.zeros((1, self.capacity), np.int64)
            self.allocatable = np.concatenate([self.allocatable, empty])
            self.requested = np.concatenate([self.requested, empty])
        return row

    def _free_row(self, name: str, row: int) -> None:
        """Forget a resource that no node offers and no pod on one needs."""
        if row > PODS and not self.allocatable[row].any() and not self.requested[row].any():
            del self.resources[name]
            self._free_rows.append(row)

    def _set_allocatable(self, column: int, allocatable: Amounts) -> None:
        for resource in allocatable:
            self.resource(resource)
        for resource, row in [*self.resources.items()]:
            value = allocatable.get(resource, 0)
            gone = not value and self.allocatable[row, column]
            self.allocatable[row, column] = value
            if gone:
                self._free_row(resource, row)

    def moved_since(self, moves: int) -> list[int] | None:
        """The columns that pods came to or left after so many moves; None where that is too long ago."""
        count = self.moves - moves
        if count > len(self._moved):
            return None
        return self._moved[-count:] if count else []

    def _count(self, column: int, info: PodInfo, sign: int) -> None:
        self.moves += 1
        self._moved.append(column)
        if len(self._moved) > 2 * MOVES:
            del self._moved[:-MOVES]
        for resource, value in info.requests.items():
            row = self.resource(resource)  # which may replace the array
            self.requested[row, column] += sign * value
            if sign < 0 and row > PODS and not self.requested[row, column]:
                self._free_row(resource, row)
        self.requested[PODS, column] += sign
        self.nonzero[0, column] += sign * info.nonzero_cpu
        self.nonzero[1, column] += sign * info.nonzero_memory
        group = self.groups.setdefault((info.namespace, info.labels, info.terminating), Counter())
        group[column] += sign
        if not group[column]:
            del group[column]
            if not group:
                del self.groups[info.namespace, info.labels, info.terminating]
        if info.affinity is not None and (info.affinity.pod_affinity or info.affinity.pod_anti_affinity):
            _, held = self.affine.setdefault(info.signature, (info, Counter()))
            held[column] += sign
            if not held[column]:
                del held[column]
                if not held:
                    del self.affine[info.signature]
        for protocol, address, port in info.host_ports:
            nodes = self.ports.setdefault((protocol, port), {})
            addresses = nodes.setdefault(column, Counter())
            addresses[address] += sign
            if addresses[address] <= 0:
                del addresses[address]
            if not addresses:
                del nodes[column]
            if not nodes:
                del self.ports[protocol, port]

    def _grow(self) -> None:
        old, self.capacity = self.capacity, self.capacity * 2

        def wider(array: NDArray[Any], fill: int = 0) -> NDArray[Any]:
            shape = (*array.shape[:-1], self.capacity - old)
            return np.concatenate([array, np.full(shape, fill, array.dtype)], axis=-1)

        self.allocatable, self.requested = wider(self.allocatable), wider(self.requested)
        self.nonzero, self.active = wider(self.nonzero), wider(self.active)
        self.unschedulable, self.taint_column = wider(self.unschedulable), wider(self.taint_column)
        self.label_columns = {key: wider(column, -1) for key, column in self.label_columns.items()}
        self.names += [""] * (self.capacity - old)
        self._free = list(range(self.capacity - 1, old - 1, -1))

    def _intern(self, taints: list[Taint]) -> int:
        key = tuple(sorted((taint.key, taint.value, taint.effect) for taint in taints))
        number = self._taint_index.get(key)
        if number is None:
            if len(self.taint_sets) > 2 * len(self.columns) + _SPARE:
                self._renumber_taints()
            number = self._taint_index[key] = len(self.taint_sets)
            self.taint_sets.append(key)
        return number

    def _renumber_taints(self) -> None:
        used, numbers = np.unique(np.append(self.taint_column, 0), return_inverse=True)  # number 0 is no taint
        self.taint_sets = [self.taint_sets[number] for number in used]
        self._taint_index = {taints: number for number, taints in enumerate(self.taint_sets)}
        self.taint_column = numbers[:-1].astype(np.intp)

    def _set_labels(self, column: int, labels: dict[str, str]) -> None:
        for key, values in [*self.label_columns.items()]:
            if key not in labels and values[column] >= 0:
                values[column] = -1
                if not (values >= 0).any():
                    del self.label_columns[key], self.label_values[key]
        for key, value in labels.items():
            if key not in self.label_columns:
                self.label_columns[key] = np.full(self.capacity, -1, np.intp)
                self.label_values[key] = {}
            numbers = self.label_values[key]
            if value not in numbers and len(numbers) > 2 * len(self.columns) + _SPARE:
                numbers = self._renumber_label(key)
            self.label_columns[key][column] = numbers.setdefault(value, len(numbers))

    def _renumber_label(self, key: str) -> dict[str, int]:
        column, texts = self.label_columns[key], [*self.label_values[key]]
        used, numbers = np.unique(np.append(column, -1), return_inverse=True)
        self.label_columns[key] = (numbers[:-1] - 1).astype(np.intp)  # number 0 is none
        self.label_values[key] = {texts[old]: new for new, old in enumerate(used[1:])}
        return self.label_values[key]

    def _set_images(self, column: int, node: Node) -> None:
        wanted = {name: image.size_bytes or 0 for image in node.status.images for name in image.names}
        for name in self._node_images.get(column, []):
            if name not in wanted:
                self._drop_image(name, column)
        for name, size in wanted.items():
            self.images.setdefault(name, {})[column] = size
        self._node_images[column] = [*wanted]

    def _drop_image(self, name: str, column: int) -> None:
        if (columns := self.images.get(name)) is not None:
            columns.pop(column, None)
            if not columns:
                del self.images[name]
