"""Admission policies (KEP-3488, KEP-3962): rules in CEL that an administrator binds to what is written.

:mod:`.bindings` keeps the compiled policies (:mod:`~steersman.apiserver.extensions.compiled_policies`) with their
bindings, :mod:`.params` finds the objects that a binding is parametrized by, :mod:`.dispatch` decides which of them a
request concerns, :mod:`.mutating` and :mod:`.validating` are the admission plugins, and :mod:`.status` tells of
policies what they get wrong.
"""
