"""Admission: rules about writes that are not the kind's own.

A write is decoded and gets its defaults; then every plugin may change the object; then the kind's strategy prepares and
validates it; then every plugin may refuse; then it is stored.  :mod:`.table` lists the plugins in their order, a
module each; :mod:`.plugin` says what a plugin is.  Plugins read the cluster from the watch caches and keep no state.
"""
