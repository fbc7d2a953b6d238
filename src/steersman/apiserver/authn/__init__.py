"""Authentication: who makes a request.

:mod:`.chain` asks the ways in order: the front proxy's headers, the client certificate, the bearer token (a bound
service-account token of :mod:`.service_accounts`).  Anonymous requests are taken for health, version and
``cluster-info`` alone.  :mod:`.impersonation` then lets those who may act as somebody else.
"""
