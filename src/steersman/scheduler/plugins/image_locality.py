"""ImageLocality: nodes that have the images already are preferred, by size and by how many nodes have them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from steersman.scheduler.framework import MAX_SCORE
from steersman.scheduler.podinfo import PodInfo
from steersman.scheduler.snapshot import Indexes, Numbers, Snapshot

_MEBIBYTE = 1024 * 1024
MIN_SIZE = 23 * _MEBIBYTE
MAX_SIZE_OF_CONTAINER = 1000 * _MEBIBYTE


class ImageLocality:
    name: ClassVar[str] = "ImageLocality"
    dynamic: ClassVar[bool] = False

    def score(self, pod: PodInfo, snapshot: Snapshot, columns: Indexes) -> Numbers | None:
        sizes = np.zeros(snapshot.capacity, np.int64)
        found = False
        for image in pod.images:
            holders = snapshot.images.get(normalized(image), {})
            for column, size in holders.items():
                sizes[column] += int(size * (len(holders) / len(snapshot)))
                found = True
        if not found:
            return None
        most = MAX_SIZE_OF_CONTAINER * len(pod.images)
        scores: Numbers = MAX_SCORE * (np.clip(sizes[columns], MIN_SIZE, most) - MIN_SIZE) // (most - MIN_SIZE)
        return scores


def normalized(image: str) -> str:
    """An image's name as nodes report it: with ``:latest`` where it has no tag."""
    return image if ":" in image.rpartition("/")[2] else f"{image}:latest"
