"""Measures this build, with the machine's yardsticks beside every number.

``python -m bench [ROW…] [--json FILE]``.  A *group* (:mod:`.rows`) sets up what it measures (an API server, a cluster),
measures its rows, and takes everything down again.  Load comes from a process of its own (:mod:`.load`), which is
ours, so that numbers from different days and machines compare.  Nothing here is a test: no number makes it fail.
"""
