"""What every controller is built on.

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
"""

from .controller import Controller, ControllerContext
from .expectations import Expectations
from .ownership import claim, controller_of, controller_reference

__all__ = ["Controller", "ControllerContext", "Expectations", "claim", "controller_of", "controller_reference"]
