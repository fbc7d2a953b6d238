"""Admission webhooks, which people run beside the cluster (KEP-492); :mod:`..webhook_client` calls them.

:mod:`.configurations` keeps what is configured in the order in which it is asked, :mod:`.matching` decides
whom a request concerns, :mod:`.review` words the question and checks the answer, and :mod:`.mutating` and
:mod:`.validating` are the admission plugins.

Webhooks are never asked about their own configuration, nor about policies: whoever breaks admission can mend it.
"""
