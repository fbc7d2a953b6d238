"""The refusal of an application that would change what others own."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from steersman.api.errors import StatusError
from steersman.api.types.meta_v1 import Status, StatusCause, StatusDetails

from . import fields as sets
from .elements import path_text
from .fields import Fields
from .managers import Manager


class Conflicts(Exception):
    """What an application would change, by its present owners."""

    def __init__(self, owners: Mapping[Manager, Fields]) -> None:
        super().__init__("the configuration changes what others own")
        self.owners = owners

    @property
    def fields(self) -> Fields:
        """Everything that is in conflict."""
        result: Fields = sets.LEAF
        for owned in self.owners.values():
            result = sets.union(result, owned)
        return result

    def but(self, allowed: Fields) -> Conflicts:
        """The conflicts without those about some fields."""
        rest = {manager: sets.difference(owned, allowed) for manager, owned in self.owners.items()}
        return Conflicts({manager: owned for manager, owned in rest.items() if owned})

    def status_error(self) -> StatusError:
        """409 with a cause for each field."""
        found = [
            (_words(manager), path_text(path))
            for manager in sorted(self.owners)
            for path in sets.paths(self.owners[manager])
        ]
        if len(found) == 1:
            message = f"Apply failed with 1 conflict: conflict with {found[0][0]}: {found[0][1]}"
        else:
            lines: list[str] = []
            for words in dict.fromkeys(words for words, _ in found):
                lines.append(f"conflicts with {words}:")
                lines += [f"- {path}" for each, path in found if each == words]
            message = f"Apply failed with {len(found)} conflicts: " + "\n".join(lines)
        causes = [
            StatusCause(reason="FieldManagerConflict", message=f"conflict with {words}", field=path)
            for words, path in found
        ]
        return StatusError(
            Status(status="Failure", code=409, reason="Conflict", message=message, details=StatusDetails(causes=causes))
        )


def _words(manager: Manager) -> str:
    """A manager as it stands in messages."""
    text = msgspec.json.encode(manager.name).decode()
    if manager.subresource:
        text += f" with subresource {msgspec.json.encode(manager.subresource).decode()}"
    return text if manager.applies else f"{text} using {manager.version}"
