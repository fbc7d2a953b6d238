"""Kinds of the core group of which a few lines say all that is particular."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from steersman.api.disabled import drop_from_claim_spec, drop_from_node
from steersman.api.errors import FieldError
from steersman.api.types import core_v1 as v1
from steersman.api.validation import addresses, events
from steersman.api.validation.faults import Faults
from steersman.api.warnings.nodes import node_warnings
from steersman.api.warnings.pods import template_warnings
from steersman.api.warnings.volumes import claim_warnings, persistent_volume_warnings
from steersman.apiserver.registry import metadata
from steersman.apiserver.registry.contract import Context
from steersman.apiserver.registry.strategy import Strategy

from .key_pairs import pair_fault
from .templates import TemplatedStrategy


class NodeStrategy(Strategy):
    """A kubelet registers its node with the status it has."""

    def prepare_create(self, context: Context, new: v1.Node) -> None:
        drop_from_node(new)
        _settle_pod_cidrs(new.spec)

    def prepare_update(self, context: Context, new: v1.Node, old: v1.Node) -> None:
        new.status = old.status
        if old.spec.config_source is None:
            new.spec.config_source = None
        _settle_pod_cidrs(new.spec)

    def prepare_status(self, context: Context, new: v1.Node, old: v1.Node) -> None:
        new.spec = old.spec
        drop_from_node(new, old)

    def warnings(self, new: v1.Node, old: v1.Node | None) -> Iterable[str]:
        return node_warnings(new)


def _settle_pod_cidrs(spec: v1.NodeSpec) -> None:
    """The older field is the first of the newer one; where they differ, the older one is meant."""
    if spec.pod_cidr and (not spec.pod_cidrs or spec.pod_cidrs[0] != spec.pod_cidr):
        spec.pod_cidrs = [spec.pod_cidr]
    spec.pod_cidr = spec.pod_cidrs[0] if spec.pod_cidrs else ""


class PersistentVolumeStrategy(Strategy):
    """Volumes begin as pending, and say since when they are in their phase."""

    def empty_status(self) -> v1.PersistentVolumeStatus:
        return v1.PersistentVolumeStatus(phase="Pending", last_phase_transition_time=self.cluster.now())

    def prepare_status(self, context: Context, new: v1.PersistentVolume, old: v1.PersistentVolume) -> None:
        super().prepare_status(context, new, old)
        if new.status.phase == old.status.phase:
            new.status.last_phase_transition_time = old.status.last_phase_transition_time
        elif new.status.last_phase_transition_time in (None, old.status.last_phase_transition_time):
            new.status.last_phase_transition_time = self.cluster.now()

    def warnings(self, new: v1.PersistentVolume, old: v1.PersistentVolume | None) -> Iterable[str]:
        return persistent_volume_warnings(new)


class PersistentVolumeClaimStrategy(Strategy):
    """Claims begin as pending; where their data come from is said in two fields that agree (KEP-1495)."""

    def empty_status(self) -> v1.PersistentVolumeClaimStatus:
        return v1.PersistentVolumeClaimStatus(phase="Pending")

    def prepare_create(self, context: Context, new: v1.PersistentVolumeClaim) -> None:
        super().prepare_create(context, new)
        drop_from_claim_spec(new.spec)
        source = new.spec.data_source
        if source is not None and new.spec.data_source_ref is None and not _old_data_source(source):
            new.spec.data_source = None
        _settle_data_sources(new.spec)

    def prepare_update(self, context: Context, new: v1.PersistentVolumeClaim, old: v1.PersistentVolumeClaim) -> None:
        super().prepare_update(context, new, old)
        drop_from_claim_spec(new.spec, old.spec)
        source, kept = new.spec.data_source, old.spec
        bare = kept.data_source is None and kept.data_source_ref is None and new.spec.data_source_ref is None
        if source is not None and bare and not _old_data_source(source):
            new.spec.data_source = None
        _settle_data_sources(new.spec)

    def warnings(self, new: v1.PersistentVolumeClaim, old: v1.PersistentVolumeClaim | None) -> Iterable[str]:
        return claim_warnings(new.spec)


def _old_data_source(source: v1.TypedLocalObjectReference) -> bool:
    """Whether ``dataSource`` could always name this; anything else was ignored, and is."""
    known = {("", "PersistentVolumeClaim"), ("snapshot.storage.k8s.io", "VolumeSnapshot")}
    return (source.api_group or "", source.kind) in known


def _settle_data_sources(spec: v1.PersistentVolumeClaimSpec) -> None:
    source, reference = spec.data_source, spec.data_source_ref
    if source is not None and reference is None:
        spec.data_source_ref = v1.TypedObjectReference(kind=source.kind, api_group=source.api_group, name=source.name)
    elif reference is not None and source is None and not reference.namespace:
        spec.data_source = v1.TypedLocalObjectReference(
            kind=reference.kind, api_group=reference.api_group, name=reference.name
        )


class PodTemplateStrategy(TemplatedStrategy):
    """Is a template alone."""

    create_on_update = True

    def template(self, obj: v1.PodTemplate) -> v1.PodTemplateSpec:
        return obj.template

    def warnings(self, new: v1.PodTemplate, old: v1.PodTemplate | None) -> Iterable[str]:
        return template_warnings(new.template, "template")


class LimitRangeStrategy(Strategy):
    """A limit range needs no name: it gets one."""

    create_on_update = True

    def prepare_create(self, context: Context, new: v1.LimitRange) -> None:
        new.metadata.name = new.metadata.name or metadata.new_uid()


class EndpointsStrategy(Strategy):
    """Addresses are better written in their usual form."""

    create_on_update = True

    def warnings(self, new: v1.Endpoints, old: v1.Endpoints | None) -> Iterator[str]:
        for number, subset in enumerate(new.subsets):
            for name, listed in (("addresses", subset.addresses), ("notReadyAddresses", subset.not_ready_addresses)):
                for index, address in enumerate(listed):
                    yield from addresses.address_warnings(f"subsets[{number}].{name}[{index}].ip", address.ip)


class EventStrategy(Strategy):
    """Who writes events through ``events.k8s.io`` is held to more than who writes them as ever."""

    create_on_update = True

    def validate(self, context: Context, new: v1.Event) -> list[FieldError]:
        faults = Faults(super().validate(context, new))
        if context.served_as == events.GROUP_VERSION:
            events.new_event(faults, new)
        return list(faults)

    def validate_update(self, context: Context, new: Any, old: Any, subresource: str) -> list[FieldError]:
        faults = Faults(super().validate_update(context, new, old, subresource))
        if context.served_as == events.GROUP_VERSION:
            events.changed_event(faults, new, old)
        return list(faults)


class SecretStrategy(Strategy):
    """``stringData`` is for writing alone."""

    def prepare_create(self, context: Context, new: v1.Secret) -> None:
        self._merge(new)

    def prepare_update(self, context: Context, new: v1.Secret, old: v1.Secret) -> None:
        self._merge(new)

    @staticmethod
    def _merge(new: v1.Secret) -> None:
        for name, text in new.string_data.items():
            new.data[name] = text.encode()
        new.string_data = {}

    def warnings(self, new: v1.Secret, old: v1.Secret | None) -> Iterator[str]:
        certificate, key = new.data.get("tls.crt", b""), new.data.get("tls.key", b"")
        if new.type == "kubernetes.io/tls" and (fault := pair_fault(certificate, key)):
            yield fault
