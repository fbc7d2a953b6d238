"""What kinds that have a template of pods do with it."""

from __future__ import annotations

from typing import Any

from steersman.api.disabled import drop_from_pod_spec
from steersman.api.types.core_v1 import PodTemplateSpec
from steersman.apiserver.registry.contract import Context
from steersman.apiserver.registry.strategy import Strategy


class TemplatedStrategy(Strategy):
    """Counts the changes of its spec; drops from the template what is behind gates that are off."""

    generation = True

    def template(self, obj: Any) -> PodTemplateSpec:
        """The pods that an object makes."""
        found: PodTemplateSpec = obj.spec.template
        return found

    def prepare_create(self, context: Context, new: Any) -> None:
        super().prepare_create(context, new)
        drop_from_pod_spec(self.template(new).spec)

    def prepare_update(self, context: Context, new: Any, old: Any) -> None:
        drop_from_pod_spec(self.template(new).spec, self.template(old).spec)
        super().prepare_update(context, new, old)
