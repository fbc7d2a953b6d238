"""The aggregation layer: group-versions of other API servers, served under this one's address.

An APIService says who serves a group-version.  :mod:`.registration` keeps one for each that is served here.  Those with
a Service are remote: :mod:`.backends` finds an address behind the Service, :mod:`.checking` asks it every now and then
whether it is there (:mod:`.availability` decides what that comes to, and it is written into the ``Available``
condition), what resources it has and how it describes them.  Requests for what a remote one serves are authorized here
and then passed on by :mod:`.proxying`, whoever is behind them named in headers; nothing is asked of another server on
the way of any other request.  :mod:`.trust` publishes by which certificates such a server knows this one.

Nothing is kept but what APIServices say: a server that starts asks again, and until it has an answer uses the condition
that was written last.
"""
