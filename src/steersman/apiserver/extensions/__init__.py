"""Extending the API: what people define, and what they run beside the cluster.

:mod:`.definitions` makes resources of CustomResourceDefinitions, whose objects are :mod:`.customresources`; schemas
(:mod:`.structural`), rules in CEL (:mod:`.cel`, :mod:`.validation_rules`) and columns are beneath them.
:mod:`.webhooks` asks others about admission.
"""
