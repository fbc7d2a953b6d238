"""The registry: what the API server does with objects.

:mod:`.contract` is what it offers: one handler per resource, on objects, without HTTP.  :mod:`.store` is the handler
that nearly all resources have, over :mod:`.commits` and :mod:`.reading`; :mod:`.strategy` is what a kind may do
differently, and ``strategies/`` who does (:mod:`.strategies.table`).  :mod:`.conversion` serves versions other than the
stored one, :mod:`.ephemeral` the resources that nobody stores.  Around them: :mod:`.metadata`, :mod:`.deletion`,
:mod:`.paging`, :mod:`.watching` (pure decisions), :mod:`.bootstrap` (what a cluster begins with), :mod:`.registry` (all
together); :mod:`steersman.apiserver.seams` is what is asked of others.

A write is one commit, compared on the revision it was decided upon; whatever must be unique beside the object's own
name is a key in the same commit.  So there is nothing to repair after a crash at any line: either all of it happened,
or nothing.  State lives in the store alone; any number of servers may share one.
"""
