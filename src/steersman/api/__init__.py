"""The contract: the API types, what they are called over REST, and how they are written and read.

Nothing here waits, and nothing here imports another package of ours.
"""
