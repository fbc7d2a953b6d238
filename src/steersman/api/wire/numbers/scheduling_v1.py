"""Protobuf field numbers of scheduling/v1."""

MESSAGES = {
    "PriorityClass": "metadata=1 value=2 globalDefault=3? description=4 preemptionPolicy=5",
    "PriorityClassList": "metadata=1 items=2",
}
