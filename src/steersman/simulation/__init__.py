"""Simulated nodes: they register, send heartbeats, and take pods through their phases, and run nothing."""
