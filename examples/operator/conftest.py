"""A cluster for all tests, in this process."""

pytest_plugins = ["steersman.testing.plugin"]
