"""Names of certificate signers and of the trust bundles that belong to them."""

from __future__ import annotations

from collections.abc import Iterator

from steersman.api import errors

from . import names
from .faults import Faults, Grammar

_DOMAIN_LIMIT = 253
_NAME_LIMIT = 571
"""A domain, a slash, a namespace, a dot and an object's name."""


def kubernetes_signer(name: str) -> bool:
    """Whether a signer is one of Kubernetes' own."""
    host = name.partition("/")[0]
    return host == "kubernetes.io" or host.endswith(".kubernetes.io")


def signer_name(faults: Faults, value: str, path: str) -> None:
    """``example.com/signer-name``."""
    if not faults.required(path, value):
        return
    segments = value.split("/")
    if len(segments) != 2:
        detail = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        faults.invalid(path, value, detail)
        return
    domain, name = segments
    if len(domain) > _DOMAIN_LIMIT:
        faults.append(errors.too_long(path, _DOMAIN_LIMIT))
    _labels(faults, domain, path, names.dns1123_label)
    if "." not in domain:
        faults.invalid(path, domain, "should be a domain with at least two segments separated by dots")
    _labels(faults, name, path, names.dns1123_subdomain)
    if len(value) > _NAME_LIMIT:
        faults.append(errors.too_long(path, _NAME_LIMIT))


def _labels(faults: Faults, segment: str, path: str, grammar: Grammar) -> None:
    """The faults of the first label that has any: those of the others would read the same."""
    for label in segment.split("."):
        found = list(grammar(label))
        for fault in found:
            faults.invalid(path, segment, f'validating label "{label}": {fault}')
        if found:
            return


def bundle_name(text: str) -> Iterator[str]:
    """``signer:name`` with the signer's slash as a colon; a subdomain where there is no signer."""
    yield from names.dns1123_subdomain(text.rpartition(":")[2])
