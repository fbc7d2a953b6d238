"""A control plane for all tests: an API server with Kubernetes's own controllers, in this process."""

pytest_plugins = ["steersman.testing.plugin"]
