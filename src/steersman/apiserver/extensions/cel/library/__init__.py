"""The functions Kubernetes adds to CEL, a module for each library; :data:`FUNCTIONS` is what an expression may call."""

from __future__ import annotations

from steersman.apiserver.extensions.cel.functions import Function

from . import authorizing, formats, lists, networks, quantities, regexes, semvers, sets, strings, urls

FUNCTIONS: tuple[Function, ...] = (
    *strings.FUNCTIONS,
    *lists.FUNCTIONS,
    *regexes.FUNCTIONS,
    *urls.FUNCTIONS,
    *quantities.FUNCTIONS,
    *networks.FUNCTIONS,
    *semvers.FUNCTIONS,
    *formats.FUNCTIONS,
    *sets.FUNCTIONS,
    *authorizing.FUNCTIONS,
)

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
