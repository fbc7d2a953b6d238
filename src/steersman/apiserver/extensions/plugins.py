"""The admission plugins that people configure."""

from __future__ import annotations

from steersman.api.types.admissionregistration_v1 import MutatingWebhookConfiguration, ValidatingWebhookConfiguration
from steersman.apiserver.admission.observer import Observer, Unobserved
from steersman.apiserver.admission.plugin import Plugin
from steersman.apiserver.registry.registry import Registry

from .policies.mutating import MutatingPolicies
from .policies.validating import ValidatingPolicies
from .versions import Versions
from .webhook_client import WebhookClient
from .webhooks.configurations import Configurations
from .webhooks.mutating import MutatingWebhooks
from .webhooks.validating import ValidatingWebhooks


def configured_plugins(
    registry: Registry, client: WebhookClient, observer: Observer | None = None, *, mutating_policies: bool = False
) -> list[Plugin]:
    """They read the configurations from the registry that they are plugins of.

    ``mutating_policies``: whether the feature ``MutatingAdmissionPolicy`` is on, which upstream has off.
    """
    told, versions = observer or Unobserved(), Versions(registry)
    mutating = Configurations(registry, MutatingWebhookConfiguration)
    validating = Configurations(registry, ValidatingWebhookConfiguration)
    plugins: list[Plugin] = [
        MutatingWebhooks(registry, mutating, client, versions, told),
        ValidatingPolicies(registry, versions, told),
        ValidatingWebhooks(registry, validating, client, versions, told),
    ]
    return [MutatingPolicies(registry, versions, told), *plugins] if mutating_policies else plugins
