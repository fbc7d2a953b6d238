"""Pod networking of this node: a bridge, addresses from the node's pod CIDR, and the way out.

Theory of operation
-------------------
*Watches* this node's Node.  When ``spec.podCIDR`` appears, writes the CNI configuration list (bridge, host-local,
portmap) atomically into a directory of the cluster's own, which the container runtime watches; the runtime's CNI
plugins do the work for each pod.  *Writes* besides: ``net.ipv4.ip_forward`` (the value before is recorded in the data
directory), one nftables table that masquerades what leaves the cluster and accepts forwarded pod traffic, and, where
the machine's iptables ``FORWARD`` chain drops by default (Docker does that), accepting rules there.

What cannot be overridden: netfilter drops a packet when *any* table drops it.  The accept rule in our table does
not help against a drop in another's (firewalld, ufw, an administrator's own rules): those must allow forwarding from
and to the pod CIDR, and to the node's own addresses from it, themselves.

Dying at any line leaves files and rules that the next start writes again, the same.  :func:`teardown` removes all.
"""
