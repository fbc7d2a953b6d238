"""Deletes what no owner needs any more, and carries out foreground and orphaning deletions.

:mod:`.graph` keeps, from the metadata of every object of every resource, who depends on whom, and says which
objects need a look.  :mod:`.collector` looks: at the live objects, never at the graph alone, before it deletes.  So
the graph may lag or be incomplete; it can only cause a look too many.  An owner that is referred to but was never
seen is a *virtual* node, whose absence is verified before its dependents are touched.  Foreground and orphan
finalizers are the state of a deletion in progress: after a crash they are found again and the work goes on.
"""

from .collector import GarbageCollector

__all__ = ["GarbageCollector"]
