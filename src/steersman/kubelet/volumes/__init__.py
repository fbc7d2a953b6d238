"""Volumes of pods.

A plugin prepares a directory on the node for a kind of volume source and keeps it up to date; the pod's actor
mounts it into containers.  Everything of a pod lives below ``<root>/pods/<uid>/volumes/kubernetes.io~<plugin>/<name>``
as upstream lays it out, so removing a pod's directory (after unmounting) removes it all.
"""
