"""Rolls the pods of a deployment from one template to the next, by way of replica sets.

Each template has its replica set, named by a hash of the template.  :mod:`.planning` decides, from a snapshot of
the deployment and its replica sets, which of them shall have how many replicas; :mod:`.status` says how far the
rollout got; :mod:`.controller` reads, and writes what they decided.  One reconciliation does one step; the
replica sets' changes bring the next.  All state is in the objects: replicas, the annotations of the replica
sets (revision, desired and maximal replicas at the time they were last scaled), and the Progressing condition's
times, so that any step can be the last before a crash.
"""

from .controller import DeploymentController

__all__ = ["DeploymentController"]
