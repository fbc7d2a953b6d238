"""A control plane for the tests of this directory, gone before others begin."""

from collections.abc import Iterator

import pytest

from steersman.testing import ControlPlane

from .gadgets import DEFINITION


@pytest.fixture(scope="package")
def control_plane() -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        plane.install(DEFINITION)
        yield plane
