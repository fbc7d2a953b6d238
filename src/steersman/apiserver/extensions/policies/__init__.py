"""Validating admission policies (KEP-3488): rules in CEL that an administrator binds to what is written.

:mod:`.bindings` keeps the compiled policies (:mod:`~steersman.apiserver.extensions.compiled_policies`) with their
bindings, :mod:`.params` finds the objects that a binding is parametrized by, and :mod:`.validating` is the
admission plugin.
"""
