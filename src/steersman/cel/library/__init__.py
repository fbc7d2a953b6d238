"""The functions Kubernetes adds to CEL, a module for each library; :data:`FUNCTIONS` is what an expression may call."""

from __future__ import annotations

from steersman.cel.functions import Function

from . import authorizing, formats, lists, networks, orders, patches, quantities, regexes, semvers, sets, strings, urls

COMPARISONS = ("_<_", "_<=_", "_>_", "_>=_")
"""Declared over all numbers, also where two are of different types."""

FUNCTIONS: tuple[Function, ...] = (
    *strings.FUNCTIONS,
    *lists.FUNCTIONS,
    *orders.FUNCTIONS,
    *regexes.FUNCTIONS,
    *urls.FUNCTIONS,
    *quantities.FUNCTIONS,
    *networks.FUNCTIONS,
    *semvers.FUNCTIONS,
    *formats.FUNCTIONS,
    *sets.FUNCTIONS,
    *authorizing.FUNCTIONS,
)

MUTATING: tuple[Function, ...] = patches.FUNCTIONS
"""What expressions that change objects may call as well."""

ABSTRACT = frozenset(
    (
        quantities.QUANTITY,
        networks.IP,
        networks.CIDR,
        semvers.SEMVER,
        urls.URL,
        formats.FORMAT,
        *authorizing.TYPES,
    )
)
"""The types that the libraries add."""
