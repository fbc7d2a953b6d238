"""Server-side apply, and who manages which fields (KEP-555).

Every write notes in ``metadata.managedFields`` what its author changed; an application is a configuration whose
author owns what it says and gives up what it no longer says.  :class:`.field_manager.FieldManager` is what the
registry calls: it works on objects of a type.  Below it all is pure: :mod:`.fields` are sets of fields,
:mod:`.values` and :mod:`.merge` walk JSON data by :mod:`.schema`, :mod:`.ownership` decides, :mod:`.managers` keeps
the entries.

An object without managers stays without until somebody applies to it; then all it holds belongs to
``before-first-apply``.
"""

from .configuration import Configuration
from .field_manager import FieldManager, View, stored

__all__ = ["Configuration", "FieldManager", "View", "stored"]
