"""Composition: which processes a cluster has, what each is made of, and how they are started and ended.

``steersman up`` starts one supervisor (:mod:`.supervisor`, standard library alone), which keeps two processes alive:
the control plane (:mod:`.server`) and the node (:mod:`.agent`).  The node starts its own containerd, which outlives it.
One process at a time may supervise, serve, or run the node of a data directory: each holds a file lock there
(:func:`.process.claim`, :mod:`.lock`), which the kernel lets go of when the process ends, however that happens.
Everything a cluster owns on the machine is named by its :class:`~.config.ClusterConfig` and lies below its data
directory, so that :mod:`.down` can remove it although every process was killed.
"""
