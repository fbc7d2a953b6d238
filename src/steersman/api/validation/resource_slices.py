"""ResourceSlices: the devices that a driver offers."""

from __future__ import annotations

import re
from typing import Any

from steersman.api import errors, quantity
from steersman.api.types import resource_v1 as v1
from steersman.api.types import resource_v1alpha3

from . import names
from .faults import Faults
from .forms import SEMANTIC_VERSION
from .placement import node_selector
from .storage import driver_name

MAX_DEVICES = 128
MAX_TAINTED_DEVICES = 64
"""How many devices a slice holds where any is tainted, or consumes counters."""

MAX_COUNTER_SETS = 8
MAX_COUNTERS = 32
MAX_CONSUMPTIONS = 2
MAX_ATTRIBUTES = 32
MAX_TAINTS = 16
MAX_BINDING_CONDITIONS = 4
MAX_VALUE = 64
MAX_POOL_NAME = 253
MAX_VALID_VALUES = 10

_EFFECTS = ("NoExecute", "NoSchedule", "None")
_C_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
_identifier = re.compile(_C_IDENTIFIER, re.ASCII)


def pool_name(faults: Faults, name: str, path: str) -> None:
    """Subdomains with slashes between them."""
    if faults.required(path, name):
        faults.shorter(path, name, MAX_POOL_NAME)
        for part in name.split("/"):
            faults.grammar(path, part, names.dns1123_subdomain)


def _qualified_name(faults: Faults, name: str, path: str) -> None:
    """``[domain/]identifier``."""
    parts = name.split("/")
    if len(parts) > 2:
        return
    if len(parts) == 2:
        if parts[0]:
            driver_name(faults, path, parts[0])
        else:
            faults.invalid(path, "", "the domain must not be empty")
        if not parts[1]:
            faults.invalid(path, "", "the name must not be empty")
            return
    identifier = parts[-1]
    faults.shorter(path, identifier, 32)
    if not _identifier.fullmatch(identifier):
        faults.invalid(
            path,
            identifier,
            "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric "
            f"characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is "
            f"'{_C_IDENTIFIER}')",
        )


def fully_qualified_name(faults: Faults, name: str, path: str) -> None:
    """``domain/identifier``."""
    _qualified_name(faults, name, path)
    if "/" not in name:
        faults.invalid(path, name, "a fully qualified name must be a domain and a name separated by a slash")


def resource_slice(faults: Faults, obj: v1.ResourceSlice) -> None:
    spec = obj.spec
    driver_name(faults, "spec.driver", spec.driver)
    pool_name(faults, spec.pool.name, "spec.pool.name")
    count, generation = spec.pool.resource_slice_count, spec.pool.generation
    if count <= 0:
        faults.invalid("spec.pool.resourceSliceCount", count, "must be greater than zero")
    if generation < 0:
        faults.invalid("spec.pool.generation", generation, "must be greater than or equal to zero")
    _nodes(faults, spec)
    if spec.shared_counters and spec.devices:
        faults.invalid("spec", "", "only one of `sharedCounters` or `devices` is allowed")
    special = any(device.taints or device.consumes_counters for device in spec.devices)
    if faults.fewer("spec.devices", len(spec.devices), MAX_TAINTED_DEVICES if special else MAX_DEVICES):
        seen: set[str] = set()
        for index, device in enumerate(spec.devices):
            place = f"spec.devices[{index}]"
            _device(faults, device, place, apart=bool(spec.per_device_node_selection))
            faults.unique(place, device.name, seen)
    if faults.fewer("spec.sharedCounters", len(spec.shared_counters), MAX_COUNTER_SETS):
        sets: set[str] = set()
        for index, counters in enumerate(spec.shared_counters):
            place = f"spec.sharedCounters[{index}]"
            faults.name(f"{place}.name", counters.name, names.dns1123_label)
            _counters(faults, counters.counters, f"{place}.counters")
            faults.unique(place, counters.name, sets)


def _nodes(faults: Faults, spec: v1.ResourceSliceSpec) -> None:
    """Where the devices are, which is said in one way."""
    given = []
    if spec.node_name:
        given.append("`nodeName`")
        faults.grammar("spec.nodeName", spec.node_name, names.dns1123_subdomain)
    if spec.node_selector is not None:
        given.append("`nodeSelector`")
        node_selector(faults, spec.node_selector, "spec.nodeSelector")
        terms = spec.node_selector.node_selector_terms
        if len(terms) != 1:
            place = "spec.nodeSelector.nodeSelectorTerms"
            faults.invalid(place, terms, "must have exactly one node selector term")
    for name, value in (("allNodes", spec.all_nodes), ("perDeviceNodeSelection", spec.per_device_node_selection)):
        if value:
            given.append(f"`{name}`")
        elif value is not None:
            faults.invalid(f"spec.{name}", value, "must be either unset or set to true")
    wanted = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
    if not given:
        faults.append(errors.required("spec", wanted))
    elif len(given) > 1:
        faults.invalid("spec", f"{{{', '.join(given)}}}", f"{wanted}, but multiple fields are set")


def resource_slice_update(faults: Faults, new: v1.ResourceSlice, old: v1.ResourceSlice) -> None:
    faults.immutable("spec.pool.name", new.spec.pool.name, old.spec.pool.name)
    faults.immutable("spec.driver", new.spec.driver, old.spec.driver)
    faults.immutable("spec.nodeName", new.spec.node_name, old.spec.node_name)


def _device(faults: Faults, device: v1.Device, path: str, *, apart: bool) -> None:
    """``apart``: whether each device says which nodes it is for."""
    faults.grammar(f"{path}.name", device.name, names.dns1123_label)
    total = len(device.attributes) + len(device.capacity)
    if total > MAX_ATTRIBUTES:
        detail = f"the total number of attributes and capacities must not exceed {MAX_ATTRIBUTES}"
        faults.invalid(path, total, detail)
    for key, attribute in device.attributes.items():
        _qualified_name(faults, key, f"{path}.attributes[{key}]")
        _attribute(faults, attribute, f"{path}.attributes[{key}]")
    for key, capacity in device.capacity.items():
        place = f"{path}.capacity[{key}]"
        _qualified_name(faults, key, place)
        policy = capacity.request_policy
        if policy is None:
            continue
        if device.allow_multiple_allocations:
            _request_policy(faults, capacity.value, policy, f"{place}.requestPolicy")
        else:
            faults.forbidden(f"{place}.requestPolicy", "allowMultipleAllocations must be true")
    if faults.fewer(f"{path}.taints", len(device.taints), MAX_TAINTS):
        for index, taint in enumerate(device.taints):
            device_taint(faults, taint, f"{path}.taints[{index}]")
    _consumptions(faults, device.consumes_counters, f"{path}.consumesCounters")
    _device_nodes(faults, device, path, apart=apart)
    binding_conditions(faults, device.binding_conditions, device.binding_failure_conditions, path)


def _device_nodes(faults: Faults, device: v1.Device, path: str, *, apart: bool) -> None:
    given = []
    if device.node_name:
        given.append("`nodeName`")
    if device.node_selector is not None:
        given.append("`nodeSelector`")
    if device.all_nodes is not None:
        given.append("`allNodes`")
    if not apart:
        if given:
            faults.invalid(
                path,
                None,
                "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true "
                "in the ResourceSlice spec",
            )
        return
    if device.node_name:
        faults.grammar(f"{path}.nodeName", device.node_name, names.dns1123_subdomain)
    if device.node_selector is not None:
        node_selector(faults, device.node_selector, f"{path}.nodeSelector")
    if device.all_nodes is False:
        faults.invalid(f"{path}.allNodes", False, "must be either unset or set to true")
        given.remove("`allNodes`")
    detail = (
        "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to "
        "true in the ResourceSlice spec"
    )
    if not given:
        faults.append(errors.required(path, detail))
    elif len(given) > 1:
        faults.invalid(path, f"{{{', '.join(given)}}}", detail)


def _attribute(faults: Faults, attribute: v1.DeviceAttribute, path: str) -> None:
    given = sum(
        (attribute.bool_ is not None, attribute.int_ is not None, bool(attribute.string), bool(attribute.version))
    )
    if attribute.string:
        faults.shorter(f"{path}.string", attribute.string, MAX_VALUE)
    if attribute.version:
        if not SEMANTIC_VERSION.fullmatch(attribute.version):
            detail = "must be a string compatible with semver.org spec 2.0.0"
            faults.invalid(f"{path}.version", attribute.version, detail)
        faults.shorter(f"{path}.version", attribute.version, MAX_VALUE)
    if given != 1:
        faults.invalid(path, attribute if given else "", "exactly one value must be specified")


def _request_policy(faults: Faults, whole: str, policy: v1.CapacityRequestPolicy, path: str) -> None:
    """How much of a capacity may be asked for: certain amounts, or steps within a range."""
    if policy.valid_values and policy.valid_range is not None:
        detail = 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time'
        faults.forbidden(path, detail)
        return
    for name, given in (("validValues", policy.valid_values), ("validRange", policy.valid_range is not None)):
        if given and not policy.default:
            faults.append(errors.required(f"{path}.default", f"required when {name} is defined"))
            return
    if policy.valid_values:
        _valid_values(faults, whole, policy, f"{path}.validValues")
    elif policy.valid_range is not None:
        _valid_range(faults, whole, policy.default, policy.valid_range, f"{path}.validRange")


def _valid_values(faults: Faults, whole: str, policy: v1.CapacityRequestPolicy, path: str) -> None:
    amounts = [quantity.parse(value) for value in policy.valid_values]
    for index in range(1, len(amounts)):
        if amounts[index - 1] > amounts[index]:
            faults.invalid(f"{path}[{index}]", policy.valid_values[index], "values must be sorted in ascending order")
    if faults.fewer(path, len(amounts), MAX_VALID_VALUES):
        seen: set[Any] = set()
        for index, amount in enumerate(amounts):
            if amount > quantity.parse(whole):
                detail = f"option is larger than capacity value: {whole}"
                faults.invalid(f"{path}[{index}]", policy.valid_values[index], detail)
            faults.unique(f"{path}[{index}]", amount, seen, str(amount))
    if quantity.parse(policy.default) not in amounts:
        faults.invalid(path, policy.default, "default value is not valid according to the requestPolicy")


def _valid_range(faults: Faults, whole: str, default: str, span: v1.CapacityRequestPolicyRange, path: str) -> None:
    if not span.min:
        faults.append(errors.required(f"{path}.min", "required when validRange is defined"))
        return
    limit, low, start = quantity.parse(whole), quantity.parse(span.min), quantity.parse(default)
    high = quantity.parse(span.max) if span.max else None
    if low > limit:
        faults.invalid(f"{path}.min", span.min, f"min is larger than capacity value: {whole}")
    if start < low:
        faults.invalid(f"{path}.min", default, f"default is less than min: {span.min}")
    if high is not None:
        if low > high:
            faults.invalid(f"{path}.max", span.min, f"min is larger than max: {span.max}")
        if high > limit:
            faults.invalid(f"{path}.max", span.max, f"max is larger than capacity value: {whole}")
        if start > high:
            faults.invalid(f"{path}.max", default, f"default is more than max: {span.max}")
    if not span.step:
        return
    step, place = quantity.parse(span.step), f"{path}.step"
    if low + step > limit:
        detail = f"one step {quantity.format_decimal(low + step)} is larger than capacity value: {whole}"
        faults.invalid(place, span.step, detail)
    for text, amount in ((default, start), (span.max, high)):
        if amount is not None and step and (amount - low) % step:
            detail = f"value is not a multiple of a given step ({span.step}) from ({span.min})"
            faults.invalid(place, text, detail)


def _counters(faults: Faults, counters: dict[str, v1.Counter], path: str) -> None:
    if faults.required(path, counters) and faults.fewer(path, len(counters), MAX_COUNTERS):
        for name in counters:
            faults.grammar(f"{path}[{name}]", name, names.dns1123_label)


def _consumptions(faults: Faults, values: list[v1.DeviceCounterConsumption], path: str) -> None:
    if not faults.fewer(path, len(values), MAX_CONSUMPTIONS):
        return
    seen: set[str] = set()
    for index, value in enumerate(values):
        place = f"{path}[{index}]"
        faults.name(f"{place}.counterSet", value.counter_set, names.dns1123_label)
        _counters(faults, value.counters, f"{place}.counters")
        faults.unique(place, value.counter_set, seen)


def device_taint(faults: Faults, taint: v1.DeviceTaint | resource_v1alpha3.DeviceTaint, path: str) -> None:
    """KEP-5055."""
    faults.grammar(f"{path}.key", taint.key, names.qualified_name)
    if taint.value:
        faults.grammar(f"{path}.value", taint.value, names.label_value)
    if faults.required(f"{path}.effect", taint.effect) and taint.effect not in _EFFECTS:
        faults.unsupported(f"{path}.effect", taint.effect, _EFFECTS)


def binding_conditions(faults: Faults, wanted: list[str], failing: list[str], path: str) -> None:
    """What must be true, and what must not, before pods are bound (KEP-5007): both or neither, and disjoint."""
    for name, values in (("bindingConditions", wanted), ("bindingFailureConditions", failing)):
        place = f"{path}.{name}"
        if faults.fewer(place, len(values), MAX_BINDING_CONDITIONS):
            for index, value in enumerate(values):
                faults.grammar(f"{place}[{index}]", value, names.qualified_name)
    seen: set[str] = set()
    for index, value in enumerate(wanted):
        faults.unique(f"{path}.bindingConditions[{index}]", value, seen)
    seen = set()
    for index, value in enumerate(failing):
        place = f"{path}.bindingFailureConditions[{index}]"
        faults.unique(place, value, seen)
        if value in wanted:
            faults.invalid(place, value, "bindingFailureConditions must not overlap with bindingConditions")
    if failing and not wanted:
        detail = "bindingConditions are required to use bindingFailureConditions"
        faults.invalid(f"{path}.bindingConditions", wanted, detail)
    if wanted and not failing:
        detail = "bindingFailureConditions are required to use bindingConditions"
        faults.invalid(f"{path}.bindingFailureConditions", failing, detail)
