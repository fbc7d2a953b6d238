"""Which replica set shall have how many replicas: functions of snapshots, without input or output."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from steersman.api import codecs, labels
from steersman.api.generated_names import ALPHABET
from steersman.api.intstr import scaled
from steersman.api.types.apps_v1 import Deployment, ReplicaSet
from steersman.api.types.core_v1 import PodTemplateSpec

HISTORY_LIMIT = 2000
_NOT_COPIED = frozenset(
    {
        labels.LAST_APPLIED,
        labels.DEPLOYMENT_REVISION,
        labels.DEPLOYMENT_REVISION_HISTORY,
        labels.DEPLOYMENT_DESIRED_REPLICAS,
        labels.DEPLOYMENT_MAX_REPLICAS,
        "deprecated.deployment.rollback.to",
    }
)
_EPOCH = datetime.fromtimestamp(0, UTC)


class Scale(NamedTuple):
    """A decision: this replica set shall have so many replicas."""

    replica_set: ReplicaSet
    replicas: int


def replicas_of(obj: Deployment | ReplicaSet) -> int:
    """``spec.replicas``, with its default."""
    return 1 if obj.spec.replicas is None else obj.spec.replicas


def is_rolling(deployment: Deployment) -> bool:
    """Whether the strategy is RollingUpdate."""
    return deployment.spec.strategy.type != "Recreate"


def surge_and_unavailable(deployment: Deployment) -> tuple[int, int]:
    """``maxSurge`` (rounded up) and ``maxUnavailable`` (rounded down) in pods; never both 0."""
    if not is_rolling(deployment):
        return 0, 0
    rolling = deployment.spec.strategy.rolling_update
    total = replicas_of(deployment)
    surge = scaled(rolling.max_surge if rolling else None, total, round_up=True, default="25%")
    unavailable = scaled(rolling.max_unavailable if rolling else None, total, round_up=False, default="25%")
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, min(unavailable, total)


def max_replicas(deployment: Deployment) -> int:
    """How many pods a rollout may have at most."""
    return replicas_of(deployment) + surge_and_unavailable(deployment)[0]


def annotation_number(obj: Any, name: str) -> int | None:
    """An annotation that holds a number; None where it is absent or malformed."""
    try:
        return int(obj.metadata.annotations[name])
    except (KeyError, ValueError):
        return None


def revision(obj: Deployment | ReplicaSet) -> int:
    """The revision annotation, 0 where there is none."""
    return annotation_number(obj, labels.DEPLOYMENT_REVISION) or 0


def by_age(replica_sets: Iterable[ReplicaSet]) -> list[ReplicaSet]:
    """Oldest first."""
    return sorted(replica_sets, key=lambda item: (item.metadata.creation_timestamp or _EPOCH, item.metadata.name))


def same_template(one: PodTemplateSpec, other: PodTemplateSpec) -> bool:
    """Whether two templates are equal but for the label that holds their hash."""

    def stripped(template: PodTemplateSpec) -> dict[str, str]:
        return {key: value for key, value in template.metadata.labels.items() if key != labels.POD_TEMPLATE_HASH}

    if stripped(one) != stripped(other) or one.spec != other.spec:
        return False
    plain = msgspec.structs.replace(one.metadata, labels={})
    return plain == msgspec.structs.replace(other.metadata, labels={})


def template_hash(template: PodTemplateSpec, collision_count: int) -> str:
    """A short name for a template: FNV-1a over its JSON, in letters that spell no words."""
    data = msgspec.json.encode(template, order="sorted")
    if collision_count:
        data += collision_count.to_bytes(8, "little")
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return "".join(ALPHABET[ord(digit) % len(ALPHABET)] for digit in str(value))


def find_new(deployment: Deployment, replica_sets: Iterable[ReplicaSet]) -> ReplicaSet | None:
    """The replica set of the present template; the oldest where a race made several."""
    for candidate in by_age(replica_sets):
        if same_template(candidate.spec.template, deployment.spec.template):
            return candidate
    return None


def annotations_for(
    deployment: Deployment, replica_set: ReplicaSet, new_revision: int, *, exists: bool
) -> dict[str, str]:
    """The annotations the new replica set shall have: the deployment's, and the revision with its history."""
    result = dict(replica_set.metadata.annotations)
    result.update({key: value for key, value in deployment.metadata.annotations.items() if key not in _NOT_COPIED})
    old = revision(replica_set)
    if old < new_revision:
        result[labels.DEPLOYMENT_REVISION] = str(new_revision)
        if old:
            history = [item for item in result.get(labels.DEPLOYMENT_REVISION_HISTORY, "").split(",") if item]
            history.append(str(old))
            while len(",".join(history)) > HISTORY_LIMIT:
                history.pop(0)
            result[labels.DEPLOYMENT_REVISION_HISTORY] = ",".join(history)
    if not exists:
        result |= scale_annotations(deployment)
    return result


def scale_annotations(deployment: Deployment) -> dict[str, str]:
    """What a replica set notes about the deployment when it is scaled."""
    return {
        labels.DEPLOYMENT_DESIRED_REPLICAS: str(replicas_of(deployment)),
        labels.DEPLOYMENT_MAX_REPLICAS: str(max_replicas(deployment)),
    }


def build(deployment: Deployment, new_revision: int, others: Sequence[ReplicaSet]) -> ReplicaSet:
    """The replica set of the present template, to be created."""
    from steersman.api.types.apps_v1 import ReplicaSetSpec
    from steersman.api.types.meta_v1 import LabelSelector, ObjectMeta
    from steersman.controllers.kit import controller_reference

    name = template_hash(deployment.spec.template, deployment.status.collision_count or 0)
    template = codecs.copy(deployment.spec.template)
    template.metadata.labels = {**template.metadata.labels, labels.POD_TEMPLATE_HASH: name}
    selector = codecs.copy(deployment.spec.selector or LabelSelector())
    selector.match_labels = {**selector.match_labels, labels.POD_TEMPLATE_HASH: name}
    replica_set = ReplicaSet(
        metadata=ObjectMeta(
            name=f"{deployment.metadata.name}-{name}",
            namespace=deployment.metadata.namespace,
            labels=dict(template.metadata.labels),
            owner_references=[controller_reference(deployment)],
        ),
        spec=ReplicaSetSpec(
            replicas=0, min_ready_seconds=deployment.spec.min_ready_seconds, selector=selector, template=template
        ),
    )
    replica_set.metadata.annotations = annotations_for(deployment, replica_set, new_revision, exists=False)
    replica_set.spec.replicas = wanted_of_new(deployment, [*others, replica_set], replica_set)
    return replica_set


def wanted_of_new(deployment: Deployment, everything: Iterable[ReplicaSet], new: ReplicaSet) -> int:
    """How many replicas the new replica set may have now."""
    wanted = replicas_of(deployment)
    if not is_rolling(deployment):
        return wanted
    room = max_replicas(deployment) - sum(map(replicas_of, everything))
    if room <= 0:
        return replicas_of(new)
    return replicas_of(new) + min(room, wanted - replicas_of(new))


def roll(deployment: Deployment, new: ReplicaSet, old: Sequence[ReplicaSet]) -> list[Scale]:
    """The next step of a rolling update: scale the new replica set, or else scale down old ones."""
    wanted = replicas_of(deployment)
    if replicas_of(new) > wanted:
        return [Scale(new, wanted)]
    target = wanted_of_new(deployment, [*old, new], new)
    if target != replicas_of(new):
        return [Scale(new, target)]
    return _shrink_old(deployment, new, old)


def _shrink_old(deployment: Deployment, new: ReplicaSet, old: Sequence[ReplicaSet]) -> list[Scale]:
    active = by_age(item for item in old if replicas_of(item) > 0)
    if not active:
        return []
    floor = replicas_of(deployment) - surge_and_unavailable(deployment)[1]
    total = replicas_of(new) + sum(map(replicas_of, active))
    missing = replicas_of(new) - (new.status.available_replicas or 0)
    budget = total - floor - missing
    if budget <= 0:
        return []
    counts = {item.metadata.name: replicas_of(item) for item in active}
    # Pods that do not serve anyway go first: they cannot hold the rollout up.
    for item in active:
        unhealthy = max(replicas_of(item) - (item.status.available_replicas or 0), 0)
        gone = min(unhealthy, budget)
        counts[item.metadata.name] -= gone
        budget -= gone
    available = sum(item.status.available_replicas or 0 for item in (*active, new))
    excess = available - floor
    for item in active:
        gone = min(counts[item.metadata.name], max(excess, 0))
        counts[item.metadata.name] -= gone
        excess -= gone
    return [
        Scale(item, counts[item.metadata.name]) for item in active if counts[item.metadata.name] != replicas_of(item)
    ]


def is_scaling(deployment: Deployment, replica_sets: Iterable[ReplicaSet]) -> bool:
    """Whether the number of replicas was changed since the replica sets were last scaled."""
    for item in replica_sets:
        if replicas_of(item) > 0:
            desired = annotation_number(item, labels.DEPLOYMENT_DESIRED_REPLICAS)
            if desired is not None and desired != replicas_of(deployment):
                return True
    return False


def rescale(deployment: Deployment, new: ReplicaSet | None, old: Sequence[ReplicaSet]) -> list[Scale]:
    """Follow a change of the number of replicas; in the middle of a rollout, every replica set in proportion."""
    wanted = replicas_of(deployment)
    everything = [*old, new] if new is not None else [*old]
    active = [item for item in everything if replicas_of(item) > 0]
    if len(active) <= 1:
        only = active[0] if active else new or (by_age(old)[-1] if old else None)
        if only is None or replicas_of(only) == wanted:
            return []
        return [Scale(only, wanted)]
    if new is not None and _saturated(deployment, new):
        return [Scale(item, 0) for item in active if item is not new]
    if not is_rolling(deployment):
        return []
    allowed = max_replicas(deployment) if wanted > 0 else 0
    to_add = allowed - sum(map(replicas_of, active))
    # The largest get most; among equals newer ones grow first and older ones shrink first.
    aged = by_age(active)
    ordered = sorted(aged[::-1] if to_add > 0 else aged, key=replicas_of, reverse=True)
    sizes: dict[str, int] = {}
    added = 0
    for item in ordered:
        share = _share(item, deployment, to_add, added)
        sizes[item.metadata.name] = replicas_of(item) + share
        added += share
    first = ordered[0].metadata.name
    sizes[first] = max(sizes[first] + to_add - added, 0)
    # Also those whose size stays get the annotations anew, or the scaling would never be over.
    return [Scale(item, sizes[item.metadata.name]) for item in ordered]


def _saturated(deployment: Deployment, new: ReplicaSet) -> bool:
    wanted = replicas_of(deployment)
    return (
        replicas_of(new) == wanted
        and annotation_number(new, labels.DEPLOYMENT_DESIRED_REPLICAS) == wanted
        and (new.status.available_replicas or 0) == wanted
    )


def _share(item: ReplicaSet, deployment: Deployment, to_add: int, added: int) -> int:
    size = replicas_of(item)
    if size == 0 or to_add in (0, added):
        return 0
    if replicas_of(deployment) == 0:
        share = -size
    else:
        before = annotation_number(item, labels.DEPLOYMENT_MAX_REPLICAS) or deployment.status.replicas or 0
        if before <= 0:
            return 0
        share = (2 * size * max_replicas(deployment) + before) // (2 * before) - size
    rest = to_add - added
    return min(share, rest) if to_add > 0 else max(share, rest)


def superfluous(deployment: Deployment, old: Sequence[ReplicaSet]) -> list[ReplicaSet]:
    """The old replica sets beyond ``revisionHistoryLimit``, oldest revisions first, that are empty and settled."""
    limit = deployment.spec.revision_history_limit
    if limit is None or limit >= 2**31 - 1:
        return []
    kept = [item for item in old if item.metadata.deletion_timestamp is None]
    excess = len(kept) - limit
    if excess <= 0:
        return []
    return [
        item
        for item in sorted(by_age(kept), key=revision)[:excess]
        if item.status.replicas == 0
        and replicas_of(item) == 0
        and (item.metadata.generation or 0) <= (item.status.observed_generation or 0)
    ]
