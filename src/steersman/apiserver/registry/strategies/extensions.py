"""What extends the API: CustomResourceDefinitions and APIServices."""

from __future__ import annotations

from datetime import datetime

from steersman.api.types.apiextensions_v1 import CustomResourceDefinition
from steersman.api.types.apiregistration_v1 import APIService, APIServiceCondition
from steersman.api.types.meta_v1 import DeleteOptions
from steersman.apiserver.registry.contract import Context
from steersman.apiserver.registry.definition_conditions import FINALIZER, TERMINATING, set_condition
from steersman.apiserver.registry.deletion import Outcome
from steersman.apiserver.registry.strategy import Strategy


class CustomResourceDefinitionStrategy(Strategy):
    """Its status says from the first which version is stored, and never forgets one by itself."""

    generation = True
    unconditional_update = False
    status_metadata = False
    kept_decoded = 256 << 10  # schemas take more than ten times their JSON, and are seldom looked at

    def prepare_create(self, context: Context, new: CustomResourceDefinition) -> None:
        super().prepare_create(context, new)
        _store_version(new)

    def prepare_update(self, context: Context, new: CustomResourceDefinition, old: CustomResourceDefinition) -> None:
        super().prepare_update(context, new, old)
        stored = _storage_version(new)
        if stored and stored not in old.status.stored_versions:
            new.status = type(old.status)(
                accepted_names=old.status.accepted_names,
                conditions=old.status.conditions,
                observed_generation=old.status.observed_generation,
                stored_versions=[*old.status.stored_versions, stored],
            )

    def begin_delete(self, obj: CustomResourceDefinition, options: DeleteOptions, now: datetime) -> Outcome:
        """The first request has the objects deleted; what is defined goes when they have gone."""
        if obj.metadata.deletion_timestamp is None and FINALIZER not in obj.metadata.finalizers:
            obj.metadata.finalizers = [*obj.metadata.finalizers, FINALIZER]
            message = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
            set_condition(obj, TERMINATING, "True", "InstanceDeletionPending", message, now)
        return super().begin_delete(obj, options, now)


def _storage_version(definition: CustomResourceDefinition) -> str:
    return next((version.name for version in definition.spec.versions if version.storage), "")


def _store_version(definition: CustomResourceDefinition) -> None:
    if stored := _storage_version(definition):
        definition.status.stored_versions = [stored]


class APIServiceStrategy(Strategy):
    """What the server itself serves is available at once."""

    unconditional_update = False
    status_metadata = False

    def prepare_create(self, context: Context, new: APIService) -> None:
        super().prepare_create(context, new)
        if new.spec.service is None:
            new.status.conditions = [
                APIServiceCondition(
                    type="Available",
                    status="True",
                    reason="Local",
                    message="Local APIServices are always available",
                    last_transition_time=self.cluster.clock(),
                )
            ]
