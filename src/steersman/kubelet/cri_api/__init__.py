"""The messages of CRI v1, from ``cri.proto`` beside this; ``messages.pyi`` tells type checkers about them.

The stub file comes from ``python -m grpc_tools.protoc -I. --pyi_out=. cri.proto``; nothing at run time needs it.
"""
