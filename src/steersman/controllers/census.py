"""What the pods of a replica set amount to, kept up to date pod by pod: three or ten thousand are asked for alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from steersman.api import selectors
from steersman.api.types.apps_v1 import ReplicaSet
from steersman.api.types.core_v1 import Pod

from .kit.pods import TERMINAL, is_ready

_STRANGER, _TERMINATING, _ACTIVE, _LABELED, _READY = 1, 2, 4, 8, 16


class Census:
    """Counts the pods that one replica set controls; those that have ended for good count for nothing.

    ``replicas`` are the active ones, ``labeled`` those of them with all labels of the template.  ``strangers`` are
    those, of whatever state, that the selector does not choose: they are to be released, and count for nothing else.
    """

    def __init__(self, replica_set: ReplicaSet, pods: Iterable[Pod]) -> None:
        self.generation = replica_set.metadata.generation
        self._selector = selectors.from_label_selector(replica_set.spec.selector)
        self._template = replica_set.spec.template.metadata.labels.items()
        self._marks: dict[str, int] = {}
        self._numbers: Counter[int] = Counter()
        for pod in pods:
            self.put(pod)

    def put(self, pod: Pod) -> None:
        """A pod is there, and like this."""
        marks, name = self._look(pod), pod.metadata.name
        before = self._marks.get(name)
        if before != marks:
            self._marks[name] = marks
            self._numbers[marks] += 1
            if before is not None:
                self._numbers[before] -= 1

    def drop(self, pod: Pod) -> None:
        """A pod is gone, or another's."""
        if (before := self._marks.pop(pod.metadata.name, None)) is not None:
            self._numbers[before] -= 1

    def _look(self, pod: Pod) -> int:
        labels = pod.metadata.labels
        if not self._selector.matches(labels):
            return _STRANGER
        if pod.status.phase in TERMINAL:
            return 0
        if pod.metadata.deletion_timestamp is not None:
            return _TERMINATING
        return _ACTIVE | (_LABELED if self._template <= labels.items() else 0) | (_READY if is_ready(pod) else 0)

    def _count(self, mark: int) -> int:
        return sum(number for marks, number in self._numbers.items() if marks & mark)

    @property
    def strangers(self) -> int:
        return self._count(_STRANGER)

    @property
    def terminating(self) -> int:
        return self._count(_TERMINATING)

    @property
    def replicas(self) -> int:
        return self._count(_ACTIVE)

    @property
    def labeled(self) -> int:
        return self._count(_LABELED)

    @property
    def ready(self) -> int:
        return self._count(_READY)
