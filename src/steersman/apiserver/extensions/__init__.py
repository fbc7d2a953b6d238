"""Extending the API: definitions of custom resources and what validates and shows them."""
