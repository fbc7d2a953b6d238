"""How a Service's fields depend on each other, and how it comes by what must be unique in the cluster.

A cluster IP is held by an ``IPAddress`` object, a node port by a small record.  Both are keys that are created in the
very commit that writes the Service, and removed in the commit that gives them up: whoever comes second loses the
commit, whichever server it came through.  There is no allocator state beside these keys.  What somebody damaged by
hand is mended by :mod:`.repair`.
"""
