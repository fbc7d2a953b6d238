"""The cluster's own public key infrastructure: what kubeadm lays out, under the same names.

``<directory>`` holds ``ca``, ``apiserver``, ``apiserver-kubelet-client``, ``front-proxy-ca``, ``front-proxy-client``
and ``kubelet`` as ``.crt`` and ``.key``, and the service-account key pair ``sa.key``/``sa.pub``; kubeconfigs are
written beside it.  :func:`steersman.pki.files.ensure` is idempotent: what is there, valid and right is kept; what is
missing, near its end, or lacks a name is made again by the CA; a CA is never replaced.  Every file is written to a
temporary name, synced and renamed, so that a crash at any line leaves either the old file or the new one.
"""
