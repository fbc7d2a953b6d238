"""Admission webhooks, which people run beside the cluster (KEP-492); :mod:`..webhook_client` calls them.

:mod:`.configurations` keeps what is configured in the order in which it is asked, :mod:`.review` words the
question and checks the answer, :mod:`.dispatch` decides whom a request concerns and what a failure means, and
:mod:`.mutating` and :mod:`.validating` are the admission plugins.

Webhooks are never asked about their own configuration, nor about policies: whoever breaks admission can mend it.
"""
