"""How components speak to the API, and the kit that controllers are made of.

:mod:`.client` is the contract; :mod:`.http` keeps it over HTTPS, :mod:`.local` inside the server's own process, and
one suite of tests holds both to it.  A component is given a client and cannot tell which.

An :class:`.informer.Informer` lists, watches and resumes, and keeps a store with indexes; its handlers put keys into
a :class:`.workqueue.WorkQueue`, which gives each key to one worker at a time; workers read the store, write through
the client, and tell people through :class:`.events.EventRecorder`.  :class:`.leader_election.LeaderElection` says
which of several may.  :mod:`.kubeconfig` reads and merges kubeconfig files.  :mod:`.streaming` is the server's end of
exec, attach and port-forward.

Whatever fails is a :class:`steersman.api.errors.StatusError`.  Everything here survives the API server: informers
wait, list again where they must and report the difference; a lease that cannot be renewed in time counts as lost.
"""
