"""Admission: rules about writes that are not the kind's own.

A write is decoded and gets its defaults; then every plugin may change the object; then the kind's strategy prepares
and validates it; then every plugin may refuse; then it is stored.  :mod:`.table` lists the plugins in their order, a
module each; :mod:`.plugin` says what a plugin is.  Plugins read the cluster from the watch caches and keep no state.

They decide again whenever a write is decided again after a lost race, so they MUST do nothing but change the object
and refuse: what a plugin counts or reserves would be counted twice.  Where a plugin cannot read what it needs, the
write fails; nothing is admitted unseen.  What they read may be older than the write by a moment, as upstream's is,
but over an embedded store it never is.  The local client's writes pass them like any other; only what the server
amends on its own behalf (a binding, a budget that an eviction spends) does not.
"""
