"""A cluster for the tests of this directory, gone before others begin."""

from collections.abc import Iterator

import pytest

from steersman.testing import Cluster

from .gadgets import DEFINITION


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    with Cluster() as cluster:
        cluster.apply(DEFINITION)
        yield cluster


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own, deleted after it."""
    name = cluster.create_namespace()
    yield name
    cluster.delete_namespace(name)
