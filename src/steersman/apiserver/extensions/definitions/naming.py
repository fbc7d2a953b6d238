"""Which names a definition gets: those that no other definition of its group has.  Pure decisions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from steersman.api.types.apiextensions_v1 import CustomResourceDefinition, CustomResourceDefinitionNames
from steersman.apiserver.registry.definition_conditions import ESTABLISHED, NAMES_ACCEPTED, is_true, set_condition


def accept(
    definition: CustomResourceDefinition, others: Iterable[CustomResourceDefinitionNames], now: datetime
) -> None:
    """Give a definition the names that no other one of its group has been given, and say in its status how that went.

    It is established once it has got all names, and stays so when later ones are refused.
    """
    wanted, status = definition.spec.names, definition.status
    accepted = msgspec.structs.replace(status.accepted_names or CustomResourceDefinitionNames())
    resources, kinds = _taken(others)
    conflicts: list[tuple[str, str]] = []

    def take(attribute: str, taken: set[str], reason: str) -> None:
        name = getattr(wanted, attribute)
        if name != getattr(accepted, attribute) and name in taken:
            conflicts.append((reason, f'"{name}" is already in use'))
        else:
            setattr(accepted, attribute, name)

    take("plural", resources, "PluralConflict")
    take("singular", resources, "SingularConflict")
    refused = [name for name in wanted.short_names if name not in accepted.short_names and name in resources]
    if refused:
        texts = [f'"{name}" is already in use' for name in refused]
        conflicts.append(("ShortNamesConflict", texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"))
    else:
        accepted.short_names = wanted.short_names
    take("kind", kinds, "KindConflict")
    take("list_kind", kinds, "ListKindConflict")
    accepted.categories = wanted.categories
    status.accepted_names = accepted
    if conflicts:
        reason, message = conflicts[-1]
        set_condition(definition, NAMES_ACCEPTED, "False", reason, message, now)
        if not is_true(definition, ESTABLISHED):
            set_condition(definition, ESTABLISHED, "False", "NotAccepted", "not all names are accepted", now)
        return
    set_condition(definition, NAMES_ACCEPTED, "True", "NoConflicts", "no conflicts found", now)
    if not is_true(definition, ESTABLISHED):
        message = "the initial names have been accepted"
        set_condition(definition, ESTABLISHED, "True", "InitialNamesAccepted", message, now)


def _taken(others: Iterable[CustomResourceDefinitionNames]) -> tuple[set[str], set[str]]:
    """The names of resources and of kinds that are given away."""
    resources: set[str] = set()
    kinds: set[str] = set()
    for names in others:
        resources |= {names.plural, names.singular, *names.short_names}
        kinds |= {names.kind, names.list_kind}
    return resources - {""}, kinds - {""}
