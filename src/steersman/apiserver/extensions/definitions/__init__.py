"""CustomResourceDefinitions: from an object that somebody wrote to resources that are served.

:class:`.definitions.Definitions` follows the definitions.  For each it decides which names it gets (:mod:`.naming`) and
writes that into its status; the moment a definition is seen to be ``Established``, :mod:`.serving` makes its resources
and they are served, until it changes, when they are made anew, or goes.  A definition that is being deleted first
loses its objects (:mod:`.cleanup`).

Every server does all of this for itself.  The decisions are the same everywhere, because they depend on what is
stored alone, and each is one compared write: whoever is late finds it made.  After a crash everything is decided again.
"""
