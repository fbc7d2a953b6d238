"""Authentication: who makes a request.

:class:`.chain.Authentication` asks, in order, the front proxy's headers, the client certificate and the bearer token;
a credential that is presented and wrong is refused (401) even where anonymous callers are let through.  Then
impersonation headers are honoured, if the real caller may.  Nothing is remembered but signatures that were verified:
whether the objects a token is bound to still live is asked of the watch cache each time.
"""
