"""The kubelet: runs the pods that the API assigns to this node.

**Watches** pods with ``spec.nodeName`` of this node, and Services (for environment variables); reads ConfigMaps,
Secrets and tokens when pods need them.  **Writes** its Node, its Lease in ``kube-node-lease``, pods' status, events,
and at the end of a pod the deletion with grace period 0.

One :class:`~.actor.PodActor` per pod uid owns what is.  It looks at the runtime, decides with pure functions
(:mod:`.plan`, :mod:`.specs`, :mod:`.status`), acts through the CRI (:mod:`.cri`), and goes round again when woken:
by the API, by the runtime's exit events, by a relist, by its own probes and timers.  Its parts share one
:class:`~.record.PodRecord`: :mod:`.observation` fills it; :mod:`.sandbox`, :mod:`.starting`, :mod:`.stopping`,
:mod:`.pod_files` and :mod:`.prober` act on it; :mod:`.reporting` writes what comes of it.

**Loses the runtime's records** (a reboot): what should run is started again, which counts as a restart.

**Dies at any line**: containers run on under containerd and its shims, which are in sessions of their own.  The next
kubelet adopts containerd, reads labels and annotations, compares with the API, and continues; readiness is taken
over from the API for containers that still run, so no endpoint flaps.  What belongs to pods that are gone is removed.
**Loses the API server**: pods go on, probes restart containers, status is written when it is back.
"""

from .config import KubeletConfig
from .kubelet import Kubelet, containerd_config

__all__ = ["Kubelet", "KubeletConfig", "containerd_config"]
