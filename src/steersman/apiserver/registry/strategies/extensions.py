"""What extends the API: CustomResourceDefinitions and APIServices."""

from __future__ import annotations

from datetime import datetime

from steersman.api import codecs
from steersman.api.errors import FieldError
from steersman.api.types.apiextensions_v1 import CustomResourceDefinition, JSONSchemaProps
from steersman.api.types.apiregistration_v1 import APIService, APIServiceCondition
from steersman.api.types.meta_v1 import DeleteOptions
from steersman.api.validation.schemas import as_schema
from steersman.apiserver.extensions.structural import default_faults
from steersman.apiserver.registry.contract import Context
from steersman.apiserver.registry.definition_conditions import FINALIZER, TERMINATING, set_condition
from steersman.apiserver.registry.deletion import Outcome
from steersman.apiserver.registry.strategy import Strategy


class CustomResourceDefinitionStrategy(Strategy):
    """Its status says from the first which version is stored, and never forgets one by itself."""

    generation = True
    unconditional_update = False
    status_metadata = False
    is_laborious = True
    """Its rules are compiled, which takes longer than the loop may wait."""
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

    def validate(self, context: Context, new: CustomResourceDefinition) -> list[FieldError]:
        return super().validate(context, new) or _schema_faults(new, None)

    def validate_update(
        self, context: Context, new: CustomResourceDefinition, old: CustomResourceDefinition, subresource: str
    ) -> list[FieldError]:
        faults = super().validate_update(context, new, old, subresource)
        return faults if faults or subresource else _schema_faults(new, old)

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


def _schema_faults(new: CustomResourceDefinition, old: CustomResourceDefinition | None) -> list[FieldError]:
    """Of the defaults and validation rules in schemas that are new: what was accepted once stays so."""
    former = {version.name: version.schema for version in old.spec.versions} if old is not None else {}
    versions = new.spec.versions
    shared = all(version.schema == versions[0].schema for version in versions)
    faults: list[FieldError] = []
    for index, version in enumerate(versions[:1] if shared else versions):
        schema = version.schema.open_apiv3_schema if version.schema is not None else None
        if schema is None or former.get(version.name) == version.schema:
            continue
        above = "spec.validation" if shared else f"spec.versions[{index}].schema"
        place = f"{above}.openAPIV3Schema"
        if not _has_rules(schema):
            faults += default_faults(schema, place)
            continue
        # Few definitions have rules, and CEL is much to import.
        from steersman.apiserver.extensions import rule_definitions, validation_rules

        found = default_faults(schema, place, validation_rules.Compiler())
        faults += found or rule_definitions.faults(codecs.to_builtins(schema), place)
    return faults


def _has_rules(schema: JSONSchemaProps) -> bool:
    if schema.x_kubernetes_validations:
        return True
    below = (schema.items, schema.additional_properties, *schema.properties.values())
    return any(_has_rules(each) for each in map(as_schema, below) if each is not None)


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
                    last_transition_time=self.cluster.now(),
                )
            ]
