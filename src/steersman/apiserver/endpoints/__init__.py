"""What is served over HTTP, and how a request becomes a call of the registry.

:mod:`.pipeline` is the outermost handler: it identifies, limits, authorizes, dispatches, and turns every exception
into a Status.  :mod:`.request_info` classifies a request for authorization; :mod:`.resources` then does what was
classified, and MUST NOT read anything else into the path than that.  :mod:`.options` reads parameters,
:mod:`.representation` negotiates the form of an answer, :mod:`.answers` and :mod:`.watching` write it: bytes of the
watch cache pass through as they are.

Beside resources: :mod:`.discovery`, :mod:`.openapi`, :mod:`.openid`, :mod:`.health`, :mod:`.metrics`.
:mod:`.connecting` leads out of the server.  To kubelets it connects by certificates, the node's as well as its own; it
follows no redirect, and passes on nothing of the client's credentials.
"""
