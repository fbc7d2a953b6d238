"""Authorization: whether this user may do that.

:mod:`.rbac` answers from the Roles and bindings that the registry holds, kept as an index that a watch feeds;
:mod:`.bootstrap_policy` lists the objects that make a new cluster usable, as upstream names them, and says how to
bring a cluster's own up to date at each start.  Members of ``system:masters`` may do everything.
"""
