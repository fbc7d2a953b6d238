"""What a test did with the fixture is not there for the next one: run in this order, or in the other one."""

from __future__ import annotations

import pytest

from steersman.api.types.core_v1 import ConfigMap
from steersman.testing import Cluster

from .inside import config_map


@pytest.mark.parametrize("turn", [1, 2])
def test_no_object_no_request_and_no_fault_is_left(kubernetes: Cluster, turn: int) -> None:
    assert not kubernetes.requests.all()
    names = [each.metadata.name for each in kubernetes.client.list(ConfigMap, "default").items]
    assert names == ["kube-root-ca.crt"]
    kubernetes.apply(config_map("left"))
    kubernetes.faults.error(500)
