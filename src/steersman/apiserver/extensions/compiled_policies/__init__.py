"""Admission policies (KEP-3488, KEP-3962), compiled: what they say about a request, and what does not compile.

:mod:`.composition` has what both sorts share, :mod:`.validating` and :mod:`.mutating` are the sorts,
:mod:`.patches` makes objects of what mutations say, and :mod:`.type_checking` tells what expressions get wrong about
kinds.  Nothing here reads the cluster.
"""
