"""What several suites of CEL need."""

import pytest

from steersman.cel.library.authorizing import Authorizer, Decision


class Policy:
    """Allows what is named, and remembers what it was asked."""

    def __init__(self, *allowed):
        self.allowed = allowed
        self.asked = []

    def decide(self, check, verb, service_account):
        self.asked.append((check, verb, service_account))
        if check.resource == "broken":
            return Decision(False, error="no connection")
        return Decision((verb, check.path or check.resource) in self.allowed, "by policy")


@pytest.fixture
def policy():
    return Policy(("get", "/healthz"), ("create", "deployments"))


@pytest.fixture
def authorizer(policy):
    return Authorizer(policy)
