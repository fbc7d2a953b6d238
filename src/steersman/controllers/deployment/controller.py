"""Reads a deployment and its replica sets, and writes what planning and status decided."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from steersman.api import codecs, labels, selectors
from steersman.api.errors import StatusError, is_already_exists, is_not_found
from steersman.api.types.apps_v1 import Deployment, DeploymentStatus, ReplicaSet
from steersman.api.types.core_v1 import Pod
from steersman.api.types.meta_v1 import DeleteOptions, Preconditions
from steersman.client.informer import Informer, object_key
from steersman.controllers.kit import Controller, ControllerContext, claim, controller_of
from steersman.controllers.kit.conditions import condition
from steersman.controllers.kit.ownership import by_controller, controlled_by
from steersman.controllers.kit.pods import is_terminal
from steersman.controllers.kit.refusals import harmless

from . import planning
from . import status as rollout_status
from .planning import Scale, replicas_of


class DeploymentController(Controller):
    """Keys are deployments."""

    name = "deployment-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self.deployments: Informer[Deployment] = self.watch(Deployment, lambda obj: [object_key(obj)])
        self.replica_sets: Informer[ReplicaSet] = context.informers.informer(ReplicaSet)
        self.replica_sets.lister.add_index("controller", by_controller)
        self.watch(ReplicaSet, self._concerned)
        self.pods: Informer[Pod] = context.informers.informer(Pod)
        self.pods.lister.add_index("controller", by_controller)
        self.listen(self.pods, on_delete=self._pod_gone)

    def _concerned(self, replica_set: ReplicaSet) -> list[str]:
        namespace = replica_set.metadata.namespace
        reference = controller_of(replica_set.metadata)
        if reference is not None:
            return [f"{namespace}/{reference.name}"] if reference.kind == "Deployment" else []
        return [
            object_key(deployment)
            for deployment in self.deployments.lister.list(namespace)
            if selectors.from_label_selector(deployment.spec.selector).matches(replica_set.metadata.labels)
        ]

    def _pod_gone(self, pod: Pod) -> None:
        """A Recreate rollout waits for the last old pod."""
        reference = controller_of(pod.metadata)
        if reference is None or reference.kind != "ReplicaSet":
            return
        replica_set = self.replica_sets.lister.get(reference.name, pod.metadata.namespace)
        if replica_set is not None:
            for key in self._concerned(replica_set):
                deployment = self.deployments.lister.by_key(key)
                if deployment is not None and not planning.is_rolling(deployment):
                    self.queue.add(key)

    async def reconcile(self, key: str) -> float | None:
        known = self.deployments.lister.by_key(key)
        if known is None:
            return None
        selector = selectors.from_label_selector(known.spec.selector)
        if selector.empty:
            self.recorder.event(
                known,
                "Warning",
                "SelectingAll",
                "This deployment is selecting all pods. A non-empty selector is required.",
            )
            return None
        lister = self.replica_sets.lister
        candidates = [
            *lister.by_index("controller", known.metadata.uid),
            *lister.by_index("controller", f"{known.metadata.namespace}/"),
        ]
        owned: list[ReplicaSet] = await claim(self.client, known, candidates, selector)
        # The conditions below are added to a copy; the original is what the new status is compared with.
        deployment = codecs.copy(known)
        if deployment.metadata.deletion_timestamp is not None:
            return await self._write_plain_status(known, deployment, owned)
        self._note_pause(deployment)
        if deployment.spec.paused or planning.is_scaling(deployment, owned):
            return await self._rescale(known, deployment, owned)
        if planning.is_rolling(deployment):
            return await self._roll(known, deployment, owned)
        return await self._recreate(known, deployment, owned)

    def _note_pause(self, deployment: Deployment) -> None:
        present = condition(deployment.status.conditions, "Progressing")
        if not rollout_status.has_deadline(deployment) or (
            present is not None and present.reason == "ProgressDeadlineExceeded"
        ):
            return
        noted = present is not None and present.reason == "DeploymentPaused"
        if deployment.spec.paused and not noted:
            self._progressing(deployment, "Unknown", "DeploymentPaused", "Deployment is paused")
        elif not deployment.spec.paused and noted:
            self._progressing(deployment, "Unknown", "DeploymentResumed", "Deployment is resumed")

    def _progressing(self, deployment: Deployment, status: str, reason: str, message: str) -> None:
        deployment.status.conditions = rollout_status.set_condition(
            deployment.status.conditions, "Progressing", status, reason, message, self.context.now()
        )

    async def _rescale(self, known: Deployment, deployment: Deployment, owned: list[ReplicaSet]) -> float | None:
        new, old = self._split(deployment, owned)
        if new is not None:
            new = await self._refresh(deployment, new, old)
        scales = planning.rescale(deployment, new, old)
        everything = await self._apply(deployment, scales, [*old, *([new] if new else [])])
        if deployment.spec.paused:
            await self._clean_up(
                deployment, [item for item in everything if new is None or item.metadata.uid != new.metadata.uid]
            )
        return await self._write_plain_status(known, deployment, everything)

    async def _roll(self, known: Deployment, deployment: Deployment, owned: list[ReplicaSet]) -> float | None:
        _, old = self._split(deployment, owned)
        new = await self._ensure_new(known, deployment, owned)
        if scales := planning.roll(deployment, new, old):
            everything = await self._apply(deployment, scales, [*old, new])
        else:
            everything = [*old, new]
            if rollout_status.complete(deployment, deployment.status):
                await self._clean_up(deployment, old)
        return await self._write_rollout(known, deployment, everything)

    async def _recreate(self, known: Deployment, deployment: Deployment, owned: list[ReplicaSet]) -> float | None:
        new, old = self._split(deployment, owned)
        if new is not None:
            new = await self._refresh(deployment, new, old)
        everything = [*old, *([new] if new else [])]
        if scales := [Scale(item, 0) for item in old if replicas_of(item) > 0]:
            everything = await self._apply(deployment, scales, everything)
            return await self._write_rollout(known, deployment, everything)
        pods = self.pods.lister
        if any(not is_terminal(pod) for item in old for pod in pods.by_index("controller", item.metadata.uid)):
            return await self._write_rollout(known, deployment, everything)
        new = await self._ensure_new(known, deployment, owned)
        everything = [*old, new]
        if replicas_of(new) != replicas_of(deployment):
            everything = await self._apply(deployment, [Scale(new, replicas_of(deployment))], everything)
        elif rollout_status.complete(deployment, deployment.status):
            await self._clean_up(deployment, old)
        return await self._write_rollout(known, deployment, everything)

    def _split(self, deployment: Deployment, owned: list[ReplicaSet]) -> tuple[ReplicaSet | None, list[ReplicaSet]]:
        new = planning.find_new(deployment, owned)
        return new, [item for item in owned if new is None or item.metadata.uid != new.metadata.uid]

    async def _ensure_new(self, known: Deployment, deployment: Deployment, owned: list[ReplicaSet]) -> ReplicaSet:
        """The replica set of the present template, created if need be; its revision is noted in the deployment."""
        new, old = self._split(deployment, owned)
        if new is None:
            new = await self._create(known, deployment, old)
        return await self._refresh(deployment, new, old)

    async def _refresh(self, deployment: Deployment, new: ReplicaSet, old: Sequence[ReplicaSet]) -> ReplicaSet:
        """Bring revision and annotations of the new replica set up to date, and note the revision in the deployment."""
        next_revision = max(map(planning.revision, old), default=0) + 1
        annotations = planning.annotations_for(deployment, new, next_revision, exists=True)
        seconds = deployment.spec.min_ready_seconds or None
        if annotations != new.metadata.annotations or (new.spec.min_ready_seconds or None) != seconds:
            changed = codecs.copy(new)
            changed.metadata.annotations = annotations
            changed.spec.min_ready_seconds = seconds
            new = await self.client.update(changed)
        if condition(deployment.status.conditions, "Progressing") is None and rollout_status.has_deadline(deployment):
            message = f'Found new replica set "{new.metadata.name}"'
            self._progressing(deployment, "True", "FoundNewReplicaSet", message)
        # Written with the status, as upstream does: by the spec's way it would count as a generation of its own.
        deployment.metadata.annotations[labels.DEPLOYMENT_REVISION] = new.metadata.annotations.get(
            labels.DEPLOYMENT_REVISION, ""
        )
        return new

    async def _create(self, known: Deployment, deployment: Deployment, old: Sequence[ReplicaSet]) -> ReplicaSet:
        next_revision = max(map(planning.revision, old), default=0) + 1
        wanted = planning.build(deployment, next_revision, old)
        try:
            new = await self.client.create(wanted)
        except StatusError as error:
            if is_already_exists(error):
                present = await self.client.get(ReplicaSet, wanted.metadata.name, wanted.metadata.namespace)
                if controlled_by(present, deployment) and planning.same_template(
                    present.spec.template, deployment.spec.template
                ):
                    return present  # created before, not yet seen
                status = msgspec.structs.replace(known.status, collision_count=(known.status.collision_count or 0) + 1)
                await self.client.update(rollout_status.with_status(known, status), subresource="status")
                raise
            if not harmless(error):
                message = f'Failed to create new replica set "{wanted.metadata.name}": {error}'
                if rollout_status.has_deadline(deployment):
                    self._progressing(deployment, "False", "ReplicaSetCreateError", message)
                    await self._write(known, deployment, deployment.status)
                self.recorder.event(deployment, "Warning", "ReplicaSetCreateError", message)
            raise
        if replicas_of(new) > 0:
            message = f"Scaled up replica set {new.metadata.name} from 0 to {replicas_of(new)}"
            self.recorder.event(deployment, "Normal", "ScalingReplicaSet", message)
        if rollout_status.has_deadline(deployment):
            message = f'Created new replica set "{new.metadata.name}"'
            self._progressing(deployment, "True", "NewReplicaSetCreated", message)
        return new

    async def _apply(
        self, deployment: Deployment, scales: Sequence[Scale], everything: Sequence[ReplicaSet]
    ) -> list[ReplicaSet]:
        """Write the decided sizes; returns all replica sets with the written ones in place of the old."""
        current = {item.metadata.uid: item for item in everything}
        marks = planning.scale_annotations(deployment)
        for replica_set, replicas in scales:
            before = replicas_of(replica_set)
            if before == replicas and marks.items() <= replica_set.metadata.annotations.items():
                continue
            changed = codecs.copy(replica_set)
            changed.spec.replicas = replicas
            changed.metadata.annotations |= marks
            current[replica_set.metadata.uid] = await self.client.update(changed)
            if before != replicas:
                direction = "up" if replicas > before else "down"
                message = f"Scaled {direction} replica set {replica_set.metadata.name} from {before} to {replicas}"
                self.recorder.event(deployment, "Normal", "ScalingReplicaSet", message)
        return [*current.values()]

    async def _clean_up(self, deployment: Deployment, old: Sequence[ReplicaSet]) -> None:
        for replica_set in planning.superfluous(deployment, old):
            metadata = replica_set.metadata
            options = DeleteOptions(
                preconditions=Preconditions(uid=metadata.uid, resource_version=metadata.resource_version),
                propagation_policy="Background",
            )
            try:
                await self.client.delete(ReplicaSet, metadata.name, metadata.namespace, options=options)
            except StatusError as error:
                if not is_not_found(error):
                    raise

    async def _write_plain_status(
        self, known: Deployment, deployment: Deployment, everything: Sequence[ReplicaSet]
    ) -> float | None:
        new = planning.find_new(deployment, everything)
        status = rollout_status.calculate(deployment, new, everything, self.context.now())
        await self._write(known, deployment, status)
        return None

    async def _write_rollout(
        self, known: Deployment, deployment: Deployment, everything: Sequence[ReplicaSet]
    ) -> float | None:
        instant = self.context.now()
        new = planning.find_new(deployment, everything)
        status = rollout_status.rollout(deployment, new, everything, instant)
        await self._write(known, deployment, status)
        return rollout_status.check_again(deployment, status, instant)

    async def _write(self, known: Deployment, deployment: Deployment, status: DeploymentStatus) -> None:
        if status != known.status or deployment.metadata.annotations != known.metadata.annotations:
            await self.client.update(rollout_status.with_status(deployment, status), subresource="status")
