"""Custom resources: what the objects of a definition are, and how one version of them is stored, checked and shown.

:class:`.model.SchemaModel` is a version's schema; :mod:`.strategy` is what all custom kinds do alike;
:mod:`.version_store` is the store as one version sees it, so that each served version has a handler, a watch cache and
bytes of its own; :mod:`.versions` makes objects of one version those of another, by themselves or as a webhook wants
(:mod:`.converter`, by a :mod:`.review`); :mod:`.following` keeps the loop free meanwhile; :mod:`.printing` makes
the columns of tables, :mod:`.scale` reads and writes replicas.  Which there are, and when they are served, is the
business of :mod:`steersman.apiserver.extensions.definitions`.

A version that nobody asks for costs little: its schema is compiled by the first object, its cache filled by the first
reader.

A webhook that does not convert fails the requests that need it, in its own words, and holds up the watch caches of the
versions that do: their readers are told, their watches wait, and both go on where they were.  Objects that need no
conversion, and other versions, know nothing of it.
"""
