"""The service proxy: Services and EndpointSlices become nftables rules on this node.

Theory of operation
-------------------
*Watches* Services, EndpointSlices and this node's own Node.  *Writes* one nftables table (``ProxyConfig.table``, family
``ip``) and nothing else in the kernel but the removal of stale UDP conntrack entries; it never writes to the API.

Three steps, each a module: :mod:`.state` decides which endpoints each service port may use (pure), :mod:`.rules` says
what that is in chains, sets and maps (pure), :mod:`.sync` brings the kernel's table there in atomic transactions
through :mod:`.nftables`.  The table has the hooks and maps of the nftables mode of upstream's kube-proxy: packets to a
service address look their verdict up in ``service-ips`` and ``service-nodeports``, and an endpoint is picked by random
number or client affinity.  The cost of a packet does not depend on the number of services.  :mod:`.rules` says where
the layout departs from upstream's, and why.

A change of one service touches that service's elements and chains only.  After any error, after a start and every
``full_sync_period`` the whole table is replaced in one transaction, in which established connections are not
disturbed (conntrack holds their translation).

Dying at any line leaves the table of the last transaction in place, and traffic goes on; the next start takes the table
over by replacing it, whole.  :func:`steersman.proxy.sync.teardown` removes it.
"""
