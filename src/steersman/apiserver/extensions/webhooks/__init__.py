"""Calls to webhooks, which people run beside the cluster: admission (KEP-492) and conversion of custom resources.

:mod:`.client` asks one, over TLS, by URL or through a Service; what it raises is worded for those who configured it.
Admission: :mod:`.configurations` keeps what is configured in the order in which it is asked, :mod:`.matching` decides
whom a request concerns, :mod:`.review` words the question and checks the answer, and :mod:`.mutating` and
:mod:`.validating` are the admission plugins.

Webhooks are never asked about their own configuration, nor about policies: whoever breaks admission can mend it.
"""
