"""The scheduler: finds a node for every pod that names this scheduler and has none.

Theory of operation
-------------------
*Watches* Pods, Nodes and Namespaces.  *Writes* ``pods/binding``, the ``PodScheduled`` condition of pods that fit
nowhere, and Events.

All nodes live in one :class:`~steersman.scheduler.snapshot.Snapshot` of arrays, a column for each node, kept current by
the watches.  A plugin filters or scores all nodes at once (:mod:`.framework`, :mod:`.plugins`).  The
:class:`~steersman.scheduler.queue.SchedulingQueue` hands out pods in the order of priority and age; neighbours that are
alike are placed as one batch, for which everything but the chosen node's column is computed once.  A chosen pod is
*assumed* on its node at once, so that the next decision counts it, and bound in the background.

One loop decides; nothing is persisted.  Dying at any line loses decisions that were not bound: their pods are still
pending, and are decided again.  A binding that was sent but not answered is found in the watch, or decided again and
refused by the API server, which binds a pod once.

Not implemented yet: DefaultPreemption, the system's default topology spreading, the volume plugins, dynamic resource
allocation, extenders and profiles.  A volume's node affinity is not heeded.
"""
