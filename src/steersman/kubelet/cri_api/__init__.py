"""The messages of CRI v1, generated from ``proto/steersman/kubelet/cri_api/runtime.proto``; do not edit.

Regenerate with ``python -m grpc_tools.protoc -Iproto --python_out=src --pyi_out=src
proto/steersman/kubelet/cri_api/runtime.proto``.
"""
