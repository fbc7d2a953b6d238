"""What to tell people of objects that are accepted: one module per sort of object, one generator per kind.

Each yields upstream's sentences, which become ``Warning`` headers.
"""
