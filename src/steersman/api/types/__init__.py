"""The types of the Kubernetes API, one module per group-version."""
