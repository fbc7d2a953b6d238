"""Capacity planning: what fits onto given nodes, where, and what becomes of it when some of them fail.

A scenario (:mod:`.scenario`) names nodes, workloads and events.  A control plane in this process (:mod:`.world`) gets
them: the true API server on a store in memory, the true controllers and scheduler, simulated nodes, and a clock that
is turned, so that an hour takes seconds.  After each event time passes until nothing changes any more
(:mod:`.simulation`), what changed is noted (:mod:`.observer`), and the answer (:mod:`.report`) says how the cluster
is.  It is shown as tables (:mod:`.tables`) or drawn (:mod:`.picture`).

It opens no port and touches no cluster.  The same scenario and seed have the same answer.
"""
