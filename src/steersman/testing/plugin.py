"""pytest's fixtures; the entry point that loads them is that of ``steersman[testing]``.

Every test run imports this module, most of them in vain: it imports nothing but pytest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .cluster import AsyncCluster, Cluster


@pytest.fixture(scope="session")
def kubernetes_cluster() -> Iterator[Cluster]:
    """A cluster for all tests of a run."""
    from .cluster import Cluster

    with Cluster() as cluster:
        yield cluster


@pytest.fixture
def kubernetes(kubernetes_cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, with a namespace of the test's own, which is deleted after it."""
    name = kubernetes_cluster.create_namespace()
    yield kubernetes_cluster.in_namespace(name)
    kubernetes_cluster.delete_namespace(name)


@pytest.fixture
def async_kubernetes(kubernetes: Cluster) -> AsyncCluster:
    """The same as ``kubernetes``, with methods to be awaited."""
    return kubernetes.awaitable
