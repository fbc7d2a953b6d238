"""The subresources that lead out of the API server: to nodes, pods and the endpoints of services.

Logs and proxied answers are HTTP responses that are passed on as they come.  Exec, attach, port-forward and proxied
upgrades are connections that, once the other side has answered 101 (and only then, CVE-2018-1002105), are carried
both ways.  No credentials of the client's are passed on.
"""

from .connector import Connector
from .node_client import NodeClient, NodeClientConfig
from .proxy import is_proxied

__all__ = ["Connector", "NodeClient", "NodeClientConfig", "is_proxied"]
