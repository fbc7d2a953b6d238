"""What is behind gates that are off is dropped, unless the object has it already."""

from __future__ import annotations

from typing import Any

from steersman.api import codecs, disabled
from steersman.api.types import coordination_v1, resource_v1
from steersman.api.yaml import load_yaml


def build(type_: type[Any], text: str) -> Any:
    return codecs.from_builtins(type_, load_yaml(text))


def test_coordinated_election() -> None:
    spec = build(coordination_v1.LeaseSpec, "{holderIdentity: a, strategy: b, preferredHolder: c}")
    disabled.drop_from_lease(spec, codecs.copy(spec))
    assert (spec.strategy, spec.preferred_holder) == ("b", "c")
    disabled.drop_from_lease(spec)
    assert codecs.to_builtins(spec) == {"holderIdentity": "a"}


def test_extended_resources_of_classes() -> None:
    spec = build(resource_v1.DeviceClassSpec, "extendedResourceName: example.com/gpu")
    disabled.drop_from_device_class(spec, codecs.copy(spec))
    assert spec.extended_resource_name == "example.com/gpu"
    disabled.drop_from_device_class(spec)
    assert codecs.to_builtins(spec) == {}


SLICE = """
driver: d
pool: {name: p, generation: 1, resourceSliceCount: 1}
perDeviceNodeSelection: true
sharedCounters: [{name: c, counters: {a: {value: '1'}}}]
devices:
- name: x
  allNodes: true
  taints: [{key: k, effect: NoSchedule}]
  consumesCounters: [{counterSet: c, counters: {a: {value: '1'}}}]
  bindingConditions: [a]
  bindingFailureConditions: [b]
  bindsToNode: true
  allowMultipleAllocations: true
  capacity: {m: {value: 1Gi, requestPolicy: {default: 1Gi}}}
"""


def test_slices() -> None:
    spec = build(resource_v1.ResourceSliceSpec, SLICE)
    before = codecs.to_builtins(spec)
    disabled.drop_from_resource_slice(spec, codecs.copy(spec))
    assert codecs.to_builtins(spec) == before
    disabled.drop_from_resource_slice(spec)
    assert codecs.to_builtins(spec) == {
        "driver": "d",
        "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1},
        "devices": [{"name": "x", "capacity": {"m": {"value": "1Gi"}}}],
    }


def test_a_slice_keeps_only_what_it_uses() -> None:
    spec = build(resource_v1.ResourceSliceSpec, SLICE)
    old = build(resource_v1.ResourceSliceSpec, "{driver: d, pool: {name: p}, devices: [{name: x, taints: [{key: k}]}]}")
    disabled.drop_from_resource_slice(spec, old)
    assert sorted(codecs.to_builtins(spec.devices[0])) == ["capacity", "name", "taints"]


CLAIM = """
spec:
  devices:
    constraints: [{distinctAttribute: d/a}]
    requests:
    - {name: r, exactly: {deviceClassName: c, capacity: {requests: {m: 1Gi}}}}
    - {name: s, firstAvailable: [{name: t, deviceClassName: c, capacity: {requests: {m: 1Gi}}}]}
status:
  allocation:
    devices:
      results:
      - {driver: d, pool: p, device: x, request: r, shareID: s, consumedCapacity: {m: 1Gi}, bindingConditions: [a]}
  devices: [{driver: d, pool: p, device: x, shareID: s}]
"""


def test_claims() -> None:
    claim = build(resource_v1.ResourceClaim, CLAIM)
    before = codecs.to_builtins(claim)
    disabled.drop_from_resource_claim_spec(claim.spec, codecs.copy(claim.spec))
    disabled.drop_from_resource_claim_status(claim, codecs.copy(claim))
    assert codecs.to_builtins(claim) == before
    disabled.drop_from_resource_claim_spec(claim.spec)
    disabled.drop_from_resource_claim_status(claim, resource_v1.ResourceClaim())
    after = codecs.to_builtins(claim)
    text = str(after)
    assert not any(
        name in text for name in ("distinctAttribute", "capacity", "Capacity", "shareID", "bindingConditions")
    )
    assert [request["name"] for request in after["spec"]["devices"]["requests"]] == ["r", "s"]
