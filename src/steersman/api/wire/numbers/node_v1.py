"""Protobuf field numbers of node/v1."""

MESSAGES = {
    "Overhead": "podFixed=1",
    "RuntimeClass": "metadata=1 handler=2 overhead=3 scheduling=4",
    "RuntimeClassList": "metadata=1 items=2",
    "Scheduling": "nodeSelector=1 tolerations=2",
}
