"""Strategies: a small module for each kind with behaviour of its own, and :mod:`.table`, which lists them."""
