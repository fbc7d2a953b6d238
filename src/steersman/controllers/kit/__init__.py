"""What every controller is built on, ours and those of others (``docs/controller-kit.md`` is the guide).

    class Greeter(Controller):
        name = "greeter-controller"

        def __init__(self, context):
            super().__init__(context)
            self.pods = self.watch(Pod, lambda pod: [object_key(pod)])

        async def reconcile(self, key):
            pod = self.pods.lister.by_key(key)
            ...

``watch`` shares an informer and maps each changed object to the keys that need a look.  ``reconcile`` is called once
all watched informers are synced, never twice at once for the same key; it returns None, or after how many seconds it
wants to be called again.  When it raises, it is called again after a delay that doubles.

A :class:`.manager.Manager` runs controllers; with a Lease's name, only one of several that have it does.
"""

from steersman.api.meta import controller_of

from .conditions import condition, is_true, with_condition
from .controller import Controller, ControllerContext
from .expectations import Expectations
from .finalizers import add_finalizer, has_finalizer, is_deleting, remove_finalizer
from .manager import Manager, run
from .ownership import claim, controlled_by, controller_reference

__all__ = [
    "Controller",
    "ControllerContext",
    "Expectations",
    "Manager",
    "add_finalizer",
    "claim",
    "condition",
    "controlled_by",
    "controller_of",
    "controller_reference",
    "has_finalizer",
    "is_deleting",
    "is_true",
    "remove_finalizer",
    "run",
    "with_condition",
]
